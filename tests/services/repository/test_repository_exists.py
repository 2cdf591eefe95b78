"""RepositoryExists (repository.md)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from grpc import StatusCode

from gitaly_py.pb.repository_pb2 import RepositoryExistsRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from gitaly_py.pb.shared_pb2 import Repository
from tests.support.daemon import Daemon
from tests.support.repositories import Repo
from tests.support.status import refused


async def exists(stub: RepositoryServiceStub, repository: Repository | None) -> bool:
    return (await stub.RepositoryExists(RepositoryExistsRequest(repository=repository))).exists


async def test_a_repository_exists(repositories: RepositoryServiceStub, any_format_repo: Repo) -> None:
    assert await exists(repositories, any_format_repo.message)


async def test_an_absent_directory_is_none(repositories: RepositoryServiceStub) -> None:
    assert not await exists(repositories, Repository(storage_name="default", relative_path="absent.git"))


@pytest.mark.parametrize("part", ["objects", "refs", "HEAD"])
async def test_an_incomplete_directory_is_none(
    repositories: RepositoryServiceStub, repo: Repo, part: str
) -> None:
    Path(repo.path, part).rename(Path(repo.path, "moved"))

    assert not await exists(repositories, repo.message)


async def test_the_answer_follows_the_disk(repositories: RepositoryServiceStub, repo: Repo) -> None:
    assert await exists(repositories, repo.message)

    shutil.rmtree(repo.path)

    assert not await exists(repositories, repo.message)


async def test_a_plain_file_is_an_error(repositories: RepositoryServiceStub, daemon: Daemon) -> None:
    (daemon.storage / "plain-file").touch()

    async with refused(StatusCode.INTERNAL, "validate git directory: not a directory"):
        await exists(repositories, Repository(storage_name="default", relative_path="plain-file"))


@pytest.mark.parametrize(
    ("repository", "text"),
    [
        pytest.param(None, "repository not set", id="absent"),
        pytest.param(Repository(), "repository not set", id="empty"),
        pytest.param(Repository(storage_name="default"), "repository path not set", id="no path"),
        pytest.param(Repository(relative_path="a.git"), "storage name not set", id="no storage"),
        pytest.param(
            Repository(storage_name="unknown", relative_path="a.git"), "storage name not found", id="unknown"
        ),
        pytest.param(
            Repository(storage_name="default", relative_path="../a.git"),
            "relative path escapes root directory",
            id="escapes",
        ),
    ],
)
async def test_a_malformed_repository_is_refused(
    repositories: RepositoryServiceStub, repository: Repository | None, text: str
) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await exists(repositories, repository)


async def test_a_storage_that_is_gone_is_an_error(repositories: RepositoryServiceStub) -> None:
    async with refused(StatusCode.NOT_FOUND, "storage does not exist"):
        await exists(repositories, Repository(storage_name="gone", relative_path="a.git"))
