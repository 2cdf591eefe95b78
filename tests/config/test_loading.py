from __future__ import annotations

from pathlib import Path

import pytest

from gitaly_py.config import ConfigUnreadable, TokenFileError, TomlError, load, parse
from tests.support.configuration import configured


def test_an_empty_file_loads_with_the_defaults() -> None:
    config = parse(b"")

    assert str(config.graceful_restart_timeout) == "1m0s"
    assert (config.logging.format, config.logging.level) == ("text", "info")
    assert config.git.catfile_cache_size == 100
    assert config.tls.min_version == "TLS 1.2"
    assert config.pack_objects_limiting.max_concurrency == 200
    assert (config.pack_objects_cache.min_occurrences, config.pack_objects_cache.backpressure) == (1, True)
    assert (config.archive_cache.min_occurrences, config.archive_cache.backpressure) == (0, False)
    assert str(config.timeout.upload_pack_negotiation) == "10m0s"
    assert len(config.prometheus.grpc_latency_buckets) == 11
    assert config.storage == ()


@pytest.mark.parametrize("zero", ["0", '"0s"'])
def test_an_explicit_zero_timeout_means_the_default(zero: str) -> None:
    config = parse(
        f"graceful_restart_timeout = {zero}\n[timeout]\nupload_archive_negotiation = {zero}\n".encode()
    )

    assert str(config.graceful_restart_timeout) == "1m0s"
    assert str(config.timeout.upload_archive_negotiation) == "1m0s"


@pytest.mark.parametrize(
    ("toml", "message", "key"),
    [
        pytest.param(
            'graceful_restart_timeout = "bad value"',
            'line 1 column 28: toml: time: invalid duration "bad value"',
            ("graceful_restart_timeout",),
            id="bad duration",
        ),
        pytest.param(
            '\n[tls]\n  min_version = "TLS 1.1"',
            'line 3 column 17: toml: unsupported TLS version: "TLS 1.1"',
            ("tls", "min_version"),
            id="bad version",
        ),
        pytest.param(
            'socket_path = 1\n[auth]\ntoken = "x"',
            "line 1 column 15: toml: value should be a valid string",
            ("socket_path",),
            id="number for string",
        ),
        pytest.param(
            '[auth]\ntransitioning = "yes"\n[git]\ncatfile_cache_size = "many"',
            "line 2 column 17: toml: value should be a valid boolean",
            ("auth", "transitioning"),
            id="the first of two",
        ),
        pytest.param(
            "[[storage]]\nname = 'a'\n[[storage]]\nname = 2",
            "line 4 column 8: toml: value should be a valid string",
            ("storage", "name"),
            id="in a list of tables",
        ),
        pytest.param(
            "storage = 'a'",
            "line 1 column 11: toml: value should be a valid list",
            ("storage",),
            id="no list",
        ),
        pytest.param(
            "this is no TOML",
            "line 1 column 6: toml: Expected '=' after a key in a key/value pair",
            (),
            id="syntax",
        ),
        pytest.param(
            'a = 1\nb = "x', "line 2 column 7: toml: Unterminated string", (), id="syntax at the end"
        ),
    ],
)
def test_a_fault_in_the_text_is_reported_with_its_place(
    toml: str, message: str, key: tuple[str, ...]
) -> None:
    with pytest.raises(TomlError) as fault:
        parse(toml.encode())

    assert (fault.value.message, fault.value.key) == (message, key)
    assert str(fault.value) == f"load toml: {message}"


def test_bytes_that_are_no_text_are_reported_with_their_place() -> None:
    with pytest.raises(TomlError) as fault:
        parse(b'a = 1\nb = "\xff"')

    assert fault.value.message == "line 2 column 6: toml: invalid UTF-8"


def test_windows_line_ends_are_fine() -> None:
    assert parse(b'socket_path = "a"\r\n[git]\r\nsigning_key = "b"\r\n').git.signing_key == "b"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.toml")

    with pytest.raises(ConfigUnreadable, match=f"^open {missing}: no such file or directory$"):
        load(missing)


def test_load_reads_a_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('socket_path = "s"')

    assert load(str(tmp_path / "config.toml")).socket_path == "s"


def test_the_secret_comes_from_the_token_file_without_the_space_around_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n the secret \n")

    config = parse(f'auth.token_file = "{tmp_path}/token"'.encode())

    assert (config.auth.secret, config.auth.token) == ("the secret", "")


def test_the_secret_is_the_token_when_there_is_no_file() -> None:
    assert parse(b'auth.token = "abc"').auth.secret == "abc"


def test_a_token_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TokenFileError) as fault:
        parse(f'auth.token_file = "{tmp_path}/none"'.encode())

    assert str(fault.value) == f"reading token file: open {tmp_path}/none: no such file or directory"


def test_a_configuration_does_not_show_its_secrets(tmp_path: Path) -> None:
    config = configured(
        tmp_path, 'auth.token = "hush"\ngitlab.http-settings.password = "hush"\ntls.key = "hush"\n'
    )

    assert "hush" not in repr(config)
    assert config.auth.secret == "hush"


def test_keys_that_no_attribute_can_be_named_for_are_read() -> None:
    config = parse(b'gitlab-shell.dir = "/shell"\ngitlab.http-settings.user = "u"')

    assert (config.gitlab_shell.dir, config.gitlab.http_settings.user) == ("/shell", "u")


def test_integers_are_fine_where_fractions_are() -> None:
    assert parse(b"prometheus.grpc_latency_buckets = [1, 2.5]").prometheus.grpc_latency_buckets == (1.0, 2.5)
