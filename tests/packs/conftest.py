from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gitaly_py.git.process import Git
from gitaly_py.packs.takeover import Takeovers
from tests.support.packs import Cache, cache, large_repository
from tests.support.repositories import GIT, Repo


@pytest.fixture
def small(tmp_path: Path) -> Repo:
    """A repository with a few commits."""
    repo = Repo.init(tmp_path / "small.git")
    repo.history(20, "refs/heads/main")
    return repo


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """A repository whose pack is larger than all buffers on its way; nobody may change it."""
    return large_repository(tmp_path_factory.mktemp("large") / "large.git")


@pytest_asyncio.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Cache]:
    """A cache that keeps each pack from its first request on."""
    async with cache(tmp_path / "cache") as made:
        yield made


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    """A folder whose name a shell would take for two words."""
    path = tmp_path / "run time"
    (path / "sock.d").mkdir(parents=True)
    return path


@pytest_asyncio.fixture
async def takeovers(runtime: Path) -> AsyncIterator[Takeovers]:
    started = Takeovers(str(runtime), GIT)
    await started.start()
    yield started
    await started.close()


@pytest_asyncio.fixture
async def git() -> AsyncIterator[Git]:
    git = Git()
    yield git
    await git.close()
