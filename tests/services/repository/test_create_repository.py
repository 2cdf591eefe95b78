"""CreateRepository (repository.md)."""

from __future__ import annotations

import asyncio
import itertools
import time
from pathlib import Path

import grpc.aio
import pytest
from grpc import StatusCode

from gitaly_py.pb.repository_pb2 import CreateRepositoryRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from gitaly_py.pb.shared_pb2 import (
    OBJECT_FORMAT_SHA1,
    OBJECT_FORMAT_SHA256,
    OBJECT_FORMAT_UNSPECIFIED,
    Repository,
)
from tests.support.daemon import Daemon
from tests.support.repositories import Repo
from tests.support.status import refused

_numbers = itertools.count(1)


@pytest.fixture
def absent(daemon: Daemon) -> Path:
    """A path in the storage where nothing is."""
    return daemon.storage / f"created/{next(_numbers)}.git"


def message(path: Path) -> Repository:
    return Repository(storage_name="default", relative_path=f"created/{path.name}")


async def create(stub: RepositoryServiceStub, path: Path, **fields: object) -> None:
    await stub.CreateRepository(CreateRepositoryRequest(repository=message(path), **fields))


def temporary(daemon: Daemon) -> list[Path]:
    return list((daemon.storage / "+gitaly/tmp").glob("*"))


async def test_a_new_repository_has_what_git_needs_and_no_more(
    repositories: RepositoryServiceStub, daemon: Daemon, absent: Path
) -> None:
    await create(repositories, absent)

    assert {str(path.relative_to(absent)) for path in absent.rglob("*")} == {
        ".gitaly-full-repack-timestamp",
        "HEAD",
        "config",
        "objects",
        "objects/info",
        "objects/pack",
        "refs",
        "refs/heads",
        "refs/tags",
    }
    assert (absent / "HEAD").read_text() == "ref: refs/heads/main\n"
    assert (absent / "config").read_text() == (
        "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n"
    )
    assert absent.stat().st_mode & 0o777 == 0o700
    assert abs((absent / ".gitaly-full-repack-timestamp").stat().st_mtime - time.time()) < 600
    assert not (absent.parent / (absent.name + ".lock")).exists()
    assert temporary(daemon) == []


@pytest.mark.parametrize(
    ("number", "name"),
    [(OBJECT_FORMAT_UNSPECIFIED, ""), (OBJECT_FORMAT_SHA1, ""), (OBJECT_FORMAT_SHA256, "sha256")],
)
async def test_the_object_format_is_the_one_asked_for(
    repositories: RepositoryServiceStub, absent: Path, tmp_path: Path, number: int, name: str
) -> None:
    await create(repositories, absent, object_format=number)

    created = Repo(absent, Repo.init(tmp_path / "any.git").format)
    assert created.git("config", "--default=", "extensions.objectformat") == name
    assert created.git("config", "core.repositoryformatversion") == ("1" if name else "0")
    assert created.git("rev-parse", "--show-object-format") == (name or "sha1")


@pytest.mark.parametrize("branch", ["develop", "feature/one", "ünï"])
async def test_head_names_the_branch_asked_for(
    repositories: RepositoryServiceStub, absent: Path, branch: str
) -> None:
    await create(repositories, absent, default_branch=branch.encode())

    assert (absent / "HEAD").read_text() == f"ref: refs/heads/{branch}\n"


async def test_a_branch_name_that_git_refuses_creates_nothing(
    repositories: RepositoryServiceStub, daemon: Daemon, absent: Path
) -> None:
    text = (
        "creating repository: creating repository: exit status 128, "
        "stderr: \"fatal: invalid initial branch name: './.lock'\\n\""
    )
    async with refused(StatusCode.INTERNAL, text):
        await create(repositories, absent, default_branch=b"./.lock")

    assert not absent.exists()
    assert temporary(daemon) == []


async def test_an_unknown_object_format_is_refused(repositories: RepositoryServiceStub, absent: Path) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, 'unknown object format: "3"'):
        await create(repositories, absent, object_format=3)


async def test_the_repository_is_checked_before_the_format(repositories: RepositoryServiceStub) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, "repository path not set"):
        await repositories.CreateRepository(
            CreateRepositoryRequest(repository=Repository(storage_name="default"), object_format=3)
        )


@pytest.mark.parametrize("kind", ["file", "directory", "repository"])
async def test_whatever_is_at_the_path_stays(
    repositories: RepositoryServiceStub, absent: Path, kind: str
) -> None:
    absent.parent.mkdir(exist_ok=True)
    if kind == "file":
        absent.touch()
    elif kind == "directory":
        absent.mkdir()
    else:
        Repo.init(absent)
    before = sorted(absent.rglob("*"))

    async with refused(StatusCode.ALREADY_EXISTS, "creating repository: repository exists already"):
        await create(repositories, absent)

    assert sorted(absent.rglob("*")) == before


async def test_a_locked_path_is_left_alone(
    repositories: RepositoryServiceStub, daemon: Daemon, absent: Path
) -> None:
    absent.parent.mkdir(exist_ok=True)
    lock = absent.parent / (absent.name + ".lock")
    lock.touch()

    text = "creating repository: locking repository: file already locked"
    async with refused(StatusCode.INTERNAL, text):
        await create(repositories, absent)

    assert lock.exists()
    assert not absent.exists()
    assert temporary(daemon) == []


async def test_of_racing_creations_exactly_one_wins(
    repositories: RepositoryServiceStub, daemon: Daemon, absent: Path
) -> None:
    results = await asyncio.gather(*(create(repositories, absent) for _ in range(8)), return_exceptions=True)

    losers = [result for result in results if result is not None]
    assert len(losers) == 7
    for error in losers:
        assert isinstance(error, grpc.aio.AioRpcError)
        assert (error.code(), error.details()) in {
            (StatusCode.ALREADY_EXISTS, "creating repository: repository exists already"),
            (StatusCode.INTERNAL, "creating repository: locking repository: file already locked"),
        }
    assert (absent / "HEAD").exists()
    assert temporary(daemon) == []
