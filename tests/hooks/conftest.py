"""A repository whose pushes go through the daemon's hooks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.pushes import Pushes, hooked_repository
from tests.support.rails import Rails, running_rails


@pytest.fixture
async def rails() -> AsyncIterator[Rails]:
    """A Rails app that allows everything until told otherwise."""
    async with running_rails() as double:
        yield double


@pytest.fixture
async def pushes(tmp_path: Path, rails: Rails) -> AsyncIterator[Pushes]:
    """A repository Rails is asked about."""
    async with hooked_repository(tmp_path, rails) as made:
        yield made
