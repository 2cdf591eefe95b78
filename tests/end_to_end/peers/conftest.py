"""Daemons for peers that share nothing with the project but the protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.peers import Served, serving


@pytest_asyncio.fixture(scope="session")
async def served(tmp_path_factory: pytest.TempPathFactory, engine: str) -> AsyncIterator[Served]:
    """With the engine under test."""
    async with serving(tmp_path_factory.mktemp("served"), engine) as running:
        yield running


@pytest_asyncio.fixture(scope="session")
async def native(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """With the native engine, for programs that look at HTTP/2 itself."""
    async with serving(tmp_path_factory.mktemp("native"), "native") as running:
        yield running
