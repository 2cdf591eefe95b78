"""A multiplexed connection to the shared daemon, and a daemon whose metrics can be read."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from gitaly_py.transport.client import MultiplexedConnection
from tests.support.daemon import Daemon


@pytest_asyncio.fixture
async def connection(daemon: Daemon) -> AsyncIterator[MultiplexedConnection]:
    async with await MultiplexedConnection.dial(f"unix:{daemon.socket}") as dialled:
        yield dialled
