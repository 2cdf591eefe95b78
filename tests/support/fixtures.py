"""Fixtures that most test modules use: a daemon, and repositories in its storage."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import structlog

from gitaly_py.pb.shared_pb2 import Repository
from tests.support.daemon import Daemon
from tests.support.repositories import Repo

_numbers = itertools.count(1)

KEEPS_PACKS = "[pack_objects_cache]\nenabled = true\nmin_occurrences = 0\n"
"""Configuration that makes every pack of a fetch go through the cache."""

NewRepo = Callable[..., Repo]


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """What one test configures for logs, the next one does not have."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def engine(pytestconfig: pytest.Config) -> str:
    """The engine under test. Every daemon is made with it; a test without it depends on no engine."""
    name: str = pytestconfig.getoption("engine")
    return name


@pytest_asyncio.fixture(scope="session")
async def daemon(tmp_path_factory: pytest.TempPathFactory, engine: str) -> AsyncIterator[Daemon]:
    """One daemon for all tests that don't need a special one. It keeps packs from their first request on."""
    started = Daemon(tmp_path_factory.mktemp("gitaly"), engine=engine, tables=KEEPS_PACKS).start()
    yield started
    await started.close_channel()
    assert started.stop() == 0


def repository_in(storage: Path, *, storage_name: str = "default", **options: Any) -> Repo:
    """A fresh repository below `storage`, with the message that addresses it."""
    relative_path = f"repositories/{next(_numbers)}.git"
    repo = Repo.init(storage / relative_path, **options)
    repo.message = Repository(
        storage_name=storage_name,
        relative_path=relative_path,
        gl_repository="project-1",
        gl_project_path="group/project",
    )
    return repo


@pytest.fixture
def new_repo(daemon: Daemon) -> NewRepo:
    """Makes repositories in the daemon's default storage; options go to `Repo.init`."""

    def make(**options: Any) -> Repo:
        return repository_in(daemon.storage, **options)

    return make


@pytest.fixture
def repo(new_repo: NewRepo) -> Repo:
    """An empty SHA-1 repository in the daemon's storage."""
    return new_repo()


@pytest.fixture(params=["sha1", "sha256"])
def any_format_repo(request: pytest.FixtureRequest, new_repo: NewRepo) -> Repo:
    """An empty repository in the daemon's storage, once for each object format."""
    return new_repo(object_format=request.param)
