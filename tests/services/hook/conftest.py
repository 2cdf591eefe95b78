"""Daemons with a pack cache."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import pytest_asyncio

from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.metrics import free_port
from tests.support.repositories import Repo

LIMITS = """
[pack_objects_limiting]
max_concurrency = 1
max_queue_size = 1
[pack_objects_limiting.unauthenticated]
max_concurrency = 1
max_queue_wait = "10ms"
"""


@pytest.fixture(scope="session")
def port() -> int:
    """Where the metrics of `caching` are."""
    return free_port()


@pytest_asyncio.fixture(scope="session")
async def caching(tmp_path_factory: pytest.TempPathFactory, engine: str, port: int) -> AsyncIterator[Daemon]:
    """Keeps each pack from the first request on; makes one at a time for an address."""
    tables = "[pack_objects_cache]\nenabled = true\nmin_occurrences = 0\n" + LIMITS
    extra = f'prometheus_listen_addr = "127.0.0.1:{port}"'
    started = Daemon(tmp_path_factory.mktemp("caching"), engine=engine, extra=extra, tables=tables).start()
    yield started
    await started.close_channel()
    assert started.stop() == 0


@pytest_asyncio.fixture(scope="session")
async def hesitating(tmp_path_factory: pytest.TempPathFactory, engine: str) -> AsyncIterator[Daemon]:
    """Keeps a pack from the second request on."""
    tables = "[pack_objects_cache]\nenabled = true\n"
    started = Daemon(tmp_path_factory.mktemp("hesitating"), engine=engine, tables=tables).start()
    yield started
    await started.close_channel()
    assert started.stop() == 0


@pytest.fixture(scope="session")
def daemons(daemon: Daemon, caching: Daemon, hesitating: Daemon) -> Mapping[str, Daemon]:
    """All of them by name, and one that keeps no packs."""
    return {"not caching": daemon, "caching": caching, "hesitating": hesitating}


@pytest.fixture
def cached_repo(caching: Daemon) -> Callable[[], Repo]:
    """Makes repositories in the daemon that keeps each pack."""
    return lambda: repository_in(caching.storage)
