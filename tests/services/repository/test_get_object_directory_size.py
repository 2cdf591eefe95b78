"""GetObjectDirectorySize (repository.md A3)."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from grpc import StatusCode

from gitaly_py.pb.repository_pb2 import GetObjectDirectorySizeRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from gitaly_py.pb.shared_pb2 import Repository
from tests.support.daemon import Daemon
from tests.support.fixtures import NewRepo
from tests.support.repositories import Repo
from tests.support.status import refused


async def size(stub: RepositoryServiceStub, repo: Repo, directory: str) -> int:
    message = Repository()
    message.CopyFrom(repo.message)
    message.git_object_directory = directory
    return (await stub.GetObjectDirectorySize(GetObjectDirectorySizeRequest(repository=message))).size


def quarantine_of(daemon: Daemon, repo: Repo, name: str) -> Path:
    """A fresh quarantine as the daemon makes them, with `name` at its end."""
    digest = hashlib.sha1(repo.message.relative_path.encode()).hexdigest()[:16]
    path = daemon.storage / "+gitaly" / "tmp" / f"quarantine-{digest}-{name}"
    path.mkdir(parents=True)
    return path


async def test_an_empty_object_directory_has_no_size(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    assert await size(repositories, any_format_repo, "objects/") == 0


async def test_only_the_files_of_the_directory_count(
    repositories: RepositoryServiceStub, daemon: Daemon, repo: Repo
) -> None:
    repo.blob(os.urandom(16 * 1024))
    Path(repo.path, "stray").write_bytes(bytes(5 * 1024))
    incoming = Path(repo.path, "objects", "tmp_objdir-incoming-x")
    (incoming / "pack").mkdir(parents=True)
    (incoming / "pack" / "some").write_bytes(bytes(3 * 1024 - 1))
    (incoming / "other").write_bytes(bytes(1025))
    (incoming / "link").symlink_to(Path(repo.path, "stray"))

    assert await size(repositories, repo, "objects") == 16 + 4
    assert await size(repositories, repo, "objects/tmp_objdir-incoming-x") == 4


async def test_a_quarantine_of_the_repository_is_measured(
    repositories: RepositoryServiceStub, daemon: Daemon, repo: Repo
) -> None:
    quarantine = quarantine_of(daemon, repo, "1")
    (quarantine / "object").write_bytes(bytes(7 * 1024))

    assert await size(repositories, repo, os.path.relpath(quarantine, repo.path)) == 7


async def test_only_quarantines_of_the_repository_are_measured(
    repositories: RepositoryServiceStub, daemon: Daemon, new_repo: NewRepo
) -> None:
    repo, other = new_repo(), new_repo()
    own = os.path.relpath(quarantine_of(daemon, repo, "2"), repo.path)
    foreign = os.path.relpath(quarantine_of(daemon, other, "2"), repo.path)
    text = "not a valid relative path: relative path escapes root directory"

    for directory in (foreign, f"{own}/..", f"{own}/../x", "../x", "/../x", "objects/../..", "../" * 40):
        async with refused(StatusCode.INVALID_ARGUMENT, text):
            await size(repositories, repo, directory)


async def test_an_absent_directory_is_not_found(
    repositories: RepositoryServiceStub, daemon: Daemon, repo: Repo
) -> None:
    own = os.path.relpath(quarantine_of(daemon, repo, "3"), repo.path)

    for directory in ("foo../bazqux.git", f"{own}4"):
        path = os.path.normpath(os.path.join(repo.path, directory))
        async with refused(StatusCode.NOT_FOUND, f'object directory does not exist: "{path}"'):
            await size(repositories, repo, directory)


async def test_the_directory_must_be_named(repositories: RepositoryServiceStub, repo: Repo) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, "object directory path is not set"):
        await size(repositories, repo, "")
