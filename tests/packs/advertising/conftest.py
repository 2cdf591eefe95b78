"""Fixtures: an advertiser without a daemon around it, and repositories it may speak of."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gitaly_py.git.process import Git
from gitaly_py.git.reading.cache import Readers
from gitaly_py.git.settings import GitSettings
from tests.support.advertising import Advertised
from tests.support.repositories import ENVIRONMENT, Repo

NewRepo = Callable[..., Repo]


@pytest_asyncio.fixture
async def advertised(tmp_path: Path) -> AsyncIterator[Advertised]:
    """An advertiser of the repositories in `tmp_path`."""
    git = Git(GitSettings(environment=ENVIRONMENT))
    readers = Readers(git)
    yield Advertised(readers, str(tmp_path))
    await readers.close()
    await git.close()


@pytest.fixture
def make_repo(tmp_path: Path) -> NewRepo:
    """Makes repositories in `tmp_path`; options go to `Repo.init`."""
    numbers = itertools.count(1)

    def make(**options: Any) -> Repo:
        return Repo.init(tmp_path / f"{next(numbers)}.git", **options)

    return make
