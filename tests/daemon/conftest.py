"""Daemons of which a test needs one for itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from tests.support.daemon import Daemon

NewDaemon = Callable[..., Daemon]


@pytest_asyncio.fixture
async def new_daemon(tmp_path_factory: pytest.TempPathFactory, engine: str) -> AsyncIterator[NewDaemon]:
    """Makes daemons; options go to `Daemon`. Those that still run at the end are killed."""
    made: list[Daemon] = []

    def make(**options: Any) -> Daemon:
        made.append(Daemon(tmp_path_factory.mktemp("gitaly"), engine=engine, **options))
        return made[-1]

    yield make
    for daemon in made:
        await daemon.close_channel()
        if daemon.runs:
            daemon.kill()
