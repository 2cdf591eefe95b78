"""A daemon that clients mean harm to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.peers import serving
from tests.support.siege import RPC, TOKEN, Siege


@pytest_asyncio.fixture(scope="session")
async def siege(tmp_path_factory: pytest.TempPathFactory, engine: str) -> AsyncIterator[Siege]:
    """With a token, and little patience with those who do not say what they speak."""
    async with serving(tmp_path_factory.mktemp("siege"), engine, rpc=RPC, token=TOKEN) as served:
        repo = served.repo()
        oid = repo.commit("subject", files={"file": b"content"}, ref="refs/heads/main")
        yield Siege(served, repo, oid)
