from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.config import Config, ConfigCommandError, parse
from gitaly_py.config.command import merged

TOML = """
socket_path = "from file"
[[storage]]
name = "a"
path = "/a"
[tls]
certificate_path = "from file"
key_path = "from file"
[gitlab]
url = "from file"
[gitlab.http-settings]
user = "from file"
password = "from file"
[auth]
transitioning = true
[cgroups]
memory_bytes = 7
"""


def script(folder: Path, body: str) -> str:
    path = folder / "command"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o700)
    return str(path)


def loaded(folder: Path, generated: Any) -> Config:
    (folder / "generated").write_text(json.dumps(generated))
    command = script(folder, f"echo noise >&2; cat {folder}/generated")
    return parse(f'config_command = "{command}"\n{TOML}'.encode())


def test_what_the_command_prints_goes_over_the_file(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        {
            "socket_path": "new",
            "gitlab": {"url": "new", "http_settings": {"user": "new"}},
            "tls": {"cert_path": "new"},
            "graceful_restart_timeout": "5m",
        },
    )

    assert config.socket_path == config.gitlab.url == config.gitlab.http_settings.user == "new"
    assert (config.tls.certificate_path, config.tls.key_path) == ("new", "from file")
    assert config.gitlab.http_settings.password == "from file"
    assert str(config.graceful_restart_timeout) == "5m0s"


def test_a_list_replaces_a_list(tmp_path: Path) -> None:
    assert loaded(tmp_path, {"storage": []}).storage == ()


def test_some_tables_have_keys_without_underscores_in_any_case(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        {
            "storage": [{"Name": "b", "PATH": "/b"}],
            "auth": {"Token": "t", "token_file": "ignored"},
            "cgroups": {
                "Repositories": {"MaxCgroupsPerRepo": 2, "Count": 9, "CPUQuotaUs": 3},
                "MemoryBytes": 8,
            },
        },
    )

    assert [(storage.name, storage.path) for storage in config.storage] == [("b", "/b")]
    assert (config.auth.token, config.auth.token_file, config.auth.transitioning) == ("t", "", True)
    assert (config.cgroups.memory_bytes, config.cgroups.repositories.cpu_quota_us) == (8, 3)
    assert config.cgroups.repositories.max_cgroups_per_repo == 2


def test_keys_that_json_does_not_know_change_nothing(tmp_path: Path) -> None:
    config = loaded(tmp_path, {"tls": {"certificate_path": "x"}, "gitlab": {"http-settings": {"user": "x"}}})

    assert config.tls.certificate_path == config.gitlab.http_settings.user == "from file"


def test_null_changes_nothing(tmp_path: Path) -> None:
    assert loaded(tmp_path, {"socket_path": None, "tls": None}).socket_path == "from file"


def test_unknown_keys_of_the_command_are_told_of(tmp_path: Path) -> None:
    assert [unknown.key for unknown in loaded(tmp_path, {"git": {"colour": 1}}).unknown_keys] == [
        "git.colour"
    ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(
            "echo 'no \"luck\"' >&2; exit 3",
            'running config command: exit status 3, stderr: "no \\"luck\\"\\n"',
            id="failure",
        ),
        pytest.param("kill -9 $$", 'running config command: signal: 9, stderr: ""', id="signal"),
        pytest.param("echo '[]'", "unmarshalling generated config: not a JSON object", id="list"),
        pytest.param(
            "echo '{'",
            "unmarshalling generated config: Expecting property name enclosed in double quotes: "
            "line 2 column 1 (char 2)",
            id="no JSON",
        ),
        pytest.param(
            """echo '{"graceful_restart_timeout": 0}'""",
            "unmarshalling generated config: graceful_restart_timeout: a duration should be a string",
            id="number for a duration",
        ),
        pytest.param(
            """echo '{"storage": [{"Name": 1}]}'""",
            "unmarshalling generated config: storage.0.name: Input should be a valid string",
            id="wrong type",
        ),
    ],
)
def test_a_command_that_fails_stops_everything(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(ConfigCommandError) as fault:
        parse(f'config_command = "{script(tmp_path, body)}"'.encode())

    assert str(fault.value) == message


def test_a_command_that_does_not_exist_stops_everything(tmp_path: Path) -> None:
    with pytest.raises(ConfigCommandError) as fault:
        parse(f'config_command = "{tmp_path}/none"'.encode())

    assert str(fault.value) == f"running config command: fork/exec {tmp_path}/none: no such file or directory"


trees = st.recursive(
    st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
).filter(lambda tree: isinstance(tree, dict))


@given(trees, trees)
def test_a_merged_tree_holds_all_that_overrides_it(base: dict[str, Any], over: dict[str, Any]) -> None:
    assert merged(merged(base, over), over) == merged(base, over)
    assert merged({}, over) == over == merged(over, {})
    assert merged(base, over).keys() == base.keys() | over.keys()
    for key, value in over.items():
        if not isinstance(value, dict) or not isinstance(base.get(key), dict):
            assert merged(base, over)[key] == value
