"""A daemon that keeps packs, and what it counts."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gitaly_py.transport.client import MultiplexedConnection
from tests.support.fetches import Counted, FetchingDaemon, fetching
from tests.support.fixtures import repository_in
from tests.support.repositories import Repo


@pytest_asyncio.fixture(scope="package")
async def keeping(tmp_path_factory: pytest.TempPathFactory, engine: str) -> AsyncIterator[FetchingDaemon]:
    async with fetching(tmp_path_factory.mktemp("keeping"), engine) as started:
        yield started


@pytest_asyncio.fixture
async def client(keeping: FetchingDaemon) -> AsyncIterator[MultiplexedConnection]:
    async with await keeping.connection() as dialled:
        yield dialled


@pytest.fixture
def kept(keeping: FetchingDaemon) -> Repo:
    """A repository whose packs are kept."""
    return repository_in(keeping.storage)


@pytest_asyncio.fixture
async def counted(keeping: FetchingDaemon) -> Counted:
    found = Counted(keeping)
    await found.begin()
    return found
