from __future__ import annotations

from pathlib import Path

import pytest

from gitaly_py.config import ConfigCommandError, TokenFileError, parse, validate
from gitaly_py.config.findings import examine
from tests.support.configuration import valid_toml, without

Key = tuple[str, ...]

TEN_MISTAKES = """
graceful_restart_timeout = "soon"
runtime_dir = "/none"
git = {catfile_cache_size = "many", config = [{key = "x"}]}
prometheus.grpc_latency_buckets = [1, 0.5]
auth.transitioning = "yes"
tls.min_version = "TLS 1.1"
gitlab.http-settings.ca_file = "/none"
daily_maintenance.start_hour = 24
rpc.engine = "other"
"""


def faulty(folder: Path) -> bytes:
    return (valid_toml(folder) + TEN_MISTAKES).encode()


def test_ten_mistakes_are_ten_problems_in_one_run(tmp_path: Path) -> None:
    assert examine(faulty(tmp_path)).problems == [
        (("graceful_restart_timeout",), 'line 7 column 28: toml: time: invalid duration "soon"'),
        (("git", "catfile_cache_size"), "line 9 column 29: toml: value should be a valid integer"),
        (("auth", "transitioning"), "line 11 column 22: toml: value should be a valid boolean"),
        (("tls", "min_version"), 'line 12 column 19: toml: unsupported TLS version: "TLS 1.1"'),
        (("runtime_dir",), 'doesn\'t exist: "/none"'),
        (("git", "config", "key"), 'key "x" must contain at least one section'),
        (("prometheus", "grpc_latency_buckets"), "bad order: expected asc: [1 0.5]"),
        (("gitlab", "http-settings", "ca_file"), 'doesn\'t exist: "/none"'),
        (("daily_maintenance", "start_hour"), "not in range: 24 out of [0, 23]"),
        (("rpc", "engine"), 'not supported: "other", choose native or grpcio'),
    ]


def test_what_could_not_be_read_is_not_called_missing(tmp_path: Path) -> None:
    toml = without(valid_toml(tmp_path), "socket_path", "bin_dir") + "socket_path = 1\nbin_dir = 2\n"

    assert [problem.key for problem in examine(toml.encode()).problems] == [("socket_path",), ("bin_dir",)]


def test_what_is_missing_is_not_told_beside_a_wrong_type() -> None:
    (problem,) = examine(b'graceful_restart_timeout = "bad"').problems

    assert problem.key == ("graceful_restart_timeout",)


@pytest.mark.parametrize(
    ("toml", "keys"),
    [
        pytest.param(
            "storage = [{name = 1}, {name = 'b', path = '/none'}]",
            [("storage", "name"), ("storage", "[1]", "path")],
            id="a key of an entry",
        ),
        pytest.param("storage = [1, {name = 'b', path = '/none'}]", [("storage",)], id="an entry"),
        pytest.param(
            "daily_maintenance = {storages = ['x', 1], start_minute = 60}",
            [("daily_maintenance", "storages"), ("daily_maintenance", "start_minute")],
            id="an entry of a list of values",
        ),
        pytest.param("git = 1\nrpc.stream_window = 1", [("git",), ("rpc", "stream_window")], id="a table"),
    ],
)
def test_a_value_with_a_wrong_type_does_not_hide_its_neighbours(toml: str, keys: list[Key]) -> None:
    assert [problem.key for problem in examine(toml.encode()).problems] == keys


def test_unknown_keys_are_found_beside_a_wrong_type() -> None:
    findings = examine(b"sokcet_path = 1\nlisten_addr = 2")

    assert [(key.key, key.nearest) for key in findings.unknown] == [("sokcet_path", "socket_path")]


def test_text_that_is_no_toml_is_one_problem() -> None:
    assert examine(b"rubbish").problems == [
        ((), "line 1 column 8: toml: Expected '=' after a key in a key/value pair")
    ]


def test_without_wrong_types_it_finds_what_validation_does(tmp_path: Path) -> None:
    toml = without(valid_toml(tmp_path), "bin_dir").encode() + b"x = 1"

    findings = examine(toml)

    assert findings.problems == validate(parse(toml)) != []
    assert [key.key for key in findings.unknown] == ["x"]


@pytest.mark.parametrize(
    ("toml", "kind"),
    [('config_command = "/none"', ConfigCommandError), ('auth.token_file = "/none"', TokenFileError)],
)
def test_other_faults_while_loading_are_raised(toml: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        examine(toml.encode())
