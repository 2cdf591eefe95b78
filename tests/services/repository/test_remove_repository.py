"""RemoveRepository (repository.md)."""

from __future__ import annotations

from pathlib import Path

from grpc import StatusCode

from gitaly_py.pb.repository_pb2 import (
    CreateRepositoryRequest,
    RemoveRepositoryRequest,
    RepositoryExistsRequest,
)
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from gitaly_py.pb.shared_pb2 import Repository
from tests.support.daemon import Daemon
from tests.support.repositories import Repo
from tests.support.status import refused


async def remove(stub: RepositoryServiceStub, repository: Repository) -> None:
    await stub.RemoveRepository(RemoveRepositoryRequest(repository=repository))


async def test_a_removed_repository_is_gone_at_once(
    repositories: RepositoryServiceStub, daemon: Daemon, any_format_repo: Repo
) -> None:
    any_format_repo.history(2, "refs/heads/main")

    await remove(repositories, any_format_repo.message)

    request = RepositoryExistsRequest(repository=any_format_repo.message)
    assert not (await repositories.RepositoryExists(request)).exists
    path = Path(any_format_repo.path)
    assert not path.exists()
    assert not path.with_name(path.name + ".lock").exists()
    assert path.parent.exists()
    assert list((daemon.storage / "+gitaly/tmp").glob("*+removed-*")) == []


async def test_a_repository_with_read_only_directories_is_removed(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    repo.blob(b"x")
    Path(repo.path, "objects/pack").chmod(0o500)

    await remove(repositories, repo.message)

    assert not Path(repo.path).exists()


async def test_its_path_can_be_used_again(repositories: RepositoryServiceStub, repo: Repo) -> None:
    await remove(repositories, repo.message)

    await repositories.CreateRepository(CreateRepositoryRequest(repository=repo.message))

    assert Path(repo.path, "HEAD").exists()


async def test_an_absent_repository_is_not_found(repositories: RepositoryServiceStub) -> None:
    async with refused(StatusCode.NOT_FOUND, "repository not found"):
        await remove(repositories, Repository(storage_name="default", relative_path="absent.git"))


async def test_a_directory_that_is_no_repository_stays(
    repositories: RepositoryServiceStub, daemon: Daemon
) -> None:
    folder = daemon.storage / "no-repository"
    folder.mkdir()

    async with refused(StatusCode.FAILED_PRECONDITION, 'repository not valid: "objects" does not exist'):
        await remove(repositories, Repository(storage_name="default", relative_path="no-repository"))

    assert folder.exists()


async def test_a_locked_repository_stays(repositories: RepositoryServiceStub, repo: Repo) -> None:
    lock = Path(repo.path + ".lock")
    lock.touch()

    async with refused(StatusCode.FAILED_PRECONDITION, "repository is already locked"):
        await remove(repositories, repo.message)

    assert Path(repo.path, "HEAD").exists()
    assert lock.exists()
