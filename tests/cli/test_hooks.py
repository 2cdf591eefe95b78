from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from tests.support.commands import gitaly_py
from tests.support.configuration import valid_toml
from tests.support.recording_daemon import RecordingDaemon

SET = "/gitaly.RepositoryService/SetCustomHooks"


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "config.toml").write_text(valid_toml(tmp_path) + 'auth.token = "secret"\n')
    return str(tmp_path / "config.toml")


def test_hooks_are_sent_in_pieces(tmp_path: Path, config: str) -> None:
    daemon = RecordingDaemon()
    archive = bytes(range(256)) * 1024
    with daemon.listening(f"unix:{tmp_path}/gitaly.socket"):
        outcome = gitaly_py("hooks", "set", "--repository", "a.git", "-c", config, stdin=archive)

    (call,) = daemon.calls
    assert outcome == (0, "", "")
    assert call.path == SET
    assert (call.requests[0].repository.storage_name, call.requests[0].repository.relative_path) == (
        "default",
        "a.git",
    )
    assert b"".join(request.data for request in call.requests) == archive
    assert max(len(request.data) for request in call.requests) == 128 * 1024
    assert call.metadata["authorization"].startswith("Bearer v2.")


def test_an_empty_archive_is_sent_as_well(tmp_path: Path, config: str) -> None:
    daemon = RecordingDaemon()
    with daemon.listening(f"unix:{tmp_path}/gitaly.socket"):
        gitaly_py("hooks", "set", "--storage", "s", "--repository", "a.git", "--config", config)

    assert [request.repository.storage_name for request in daemon.calls[0].requests] == ["s"]


def test_a_refusal_is_shown(tmp_path: Path, config: str) -> None:
    daemon = RecordingDaemon(refusal=(grpc.StatusCode.NOT_FOUND, "repository not found"))
    with daemon.listening(f"unix:{tmp_path}/gitaly.socket"):
        outcome = gitaly_py("hooks", "set", "--repository", "a.git", "-c", config)

    assert outcome == (1, "", "rpc error: code = NotFound desc = repository not found\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "x"], 'Required flag "repository" not set'),
        (["--repository", "x"], 'Required flag "config" not set'),
        ([], 'Required flags "repository, config" not set'),
        (
            ["--repository", "x", "-c", "/none"],
            'loading configuration "/none": open /none: no such file or directory',
        ),
    ],
)
def test_missing_flags_are_named(arguments: list[str], message: str) -> None:
    assert gitaly_py("hooks", "set", *arguments) == (1, "", message + "\n")


def test_a_storage_must_be_named_when_there_are_several(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('storage = [{name = "a", path = "/a"}, {name = "b", path = "/b"}]')

    assert gitaly_py("hooks", "set", "--repository", "x", "-c", f"{tmp_path}/config.toml") == (
        1,
        "",
        "multiple storages configured: use --storage to target storage explicitly\n",
    )


def test_a_daemon_without_address_cannot_be_called(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('storage = [{name = "a", path = "/a"}]')

    assert gitaly_py("hooks", "set", "--repository", "x", "-c", f"{tmp_path}/config.toml") == (
        1,
        "",
        "the configuration has no address of the daemon\n",
    )
