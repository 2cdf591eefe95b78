from __future__ import annotations

from pathlib import Path

import pytest

from gitaly_py.pb.shared_pb2 import OBJECT_FORMAT_SHA1, OBJECT_FORMAT_SHA256
from tests.support.commands import gitaly_py
from tests.support.configuration import valid_toml
from tests.support.recording_daemon import Recorded, RecordingDaemon
from tests.support.repositories import Repo


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "config.toml").write_text(valid_toml(tmp_path))
    return str(tmp_path / "config.toml")


def sent(folder: Path, *arguments: str) -> Recorded:
    daemon = RecordingDaemon()
    with daemon.listening(f"unix:{folder}/gitaly.socket"):
        assert gitaly_py("repo", *arguments, "--repository", "a/b.git", "-c", f"{folder}/config.toml") == (
            0,
            "",
            "",
        )
    (call,) = daemon.calls
    return call


def test_a_repository_is_created_by_the_daemon(tmp_path: Path, config: str) -> None:
    call = sent(tmp_path, "create")

    assert call.path == "/gitaly.RepositoryService/CreateRepository"
    (request,) = call.requests
    assert (request.repository.storage_name, request.repository.relative_path) == ("default", "a/b.git")
    assert (request.object_format, request.default_branch) == (OBJECT_FORMAT_SHA1, b"")


def test_a_repository_can_be_created_with_another_format_and_branch(tmp_path: Path, config: str) -> None:
    (request,) = sent(
        tmp_path, "create", "--storage", "s", "--object-format", "sha256", "--default-branch", "trunk"
    ).requests

    assert request.repository.storage_name == "s"
    assert (request.object_format, request.default_branch) == (OBJECT_FORMAT_SHA256, b"trunk")


def test_a_repository_is_removed_by_the_daemon(tmp_path: Path, config: str) -> None:
    call = sent(tmp_path, "remove")

    assert call.path == "/gitaly.RepositoryService/RemoveRepository"
    assert call.requests[0].repository.relative_path == "a/b.git"


def test_repositories_are_listed_from_the_disk(tmp_path: Path, config: str) -> None:
    storage = tmp_path / "storage"
    for path in ("b.git", "a/c.git", "a/b.git", "b.git/modules/inner.git", "+gitaly/tmp/repo", "a/+gitaly"):
        Repo.init(storage / path)
    (storage / "empty").mkdir()

    assert gitaly_py("repo", "list", "-c", config) == (
        0,
        "default\ta/+gitaly\ndefault\ta/b.git\ndefault\ta/c.git\ndefault\tb.git\n",
        "",
    )


def test_one_storage_can_be_listed(tmp_path: Path) -> None:
    for name in ("a", "b"):
        Repo.init(tmp_path / name / "r.git")
    storages = "".join(f'[[storage]]\nname = "{name}"\npath = "{tmp_path}/{name}"\n' for name in ("a", "b"))
    (tmp_path / "config.toml").write_text(storages)
    config = f"{tmp_path}/config.toml"

    assert gitaly_py("repo", "list", "-c", config, "--storage", "b").stdout == "b\tr.git\n"
    assert gitaly_py("repo", "list", "-c", config, "--storage", "x") == (
        1,
        "",
        'storage "x" is not configured\n',
    )


def test_a_storage_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('storage = [{name = "a", path = "/none"}]')

    assert gitaly_py("repo", "list", "-c", f"{tmp_path}/config.toml") == (
        1,
        "",
        "listing /none: no such file or directory\n",
    )
