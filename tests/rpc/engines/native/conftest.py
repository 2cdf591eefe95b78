from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gitaly_py.rpc.engines.native import connection, engine
from tests.support.http2_client import Client
from tests.support.native_engine import Serving, serving


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections are looked at more often than once a second, and linger for less."""
    monkeypatch.setattr(engine, "CHECK_SECONDS", 0.02)
    monkeypatch.setattr(connection, "LINGER_SECONDS", 0.1)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that stops waits hardly at all for the answers to its pings."""
    monkeypatch.setattr(connection, "DRAIN_SECONDS", 0.05)


@pytest.fixture
async def server() -> AsyncIterator[Serving]:
    """An engine with default settings."""
    async with serving() as running:
        yield running


@pytest.fixture
async def client(server: Serving) -> AsyncIterator[Client]:
    """A client of `server`."""
    async with await server.connect() as connected:
        yield connected
