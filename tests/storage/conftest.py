"""A storage called `default`, without a daemon."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gitaly_py.git.process import Git
from gitaly_py.git.reading.cache import Readers
from gitaly_py.git.settings import GitSettings
from gitaly_py.storage.locator import Storages
from gitaly_py.storage.repository import Repository
from tests.support.repositories import GIT, Repo


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "storage"
    root.mkdir()
    return root


@pytest_asyncio.fixture
async def storages(root: Path) -> AsyncIterator[Storages]:
    git = Git(GitSettings(binary=GIT))
    readers = Readers(git)
    yield Storages({"default": str(root)}, readers)
    await readers.close()
    await git.close()


@pytest.fixture
def repo(root: Path) -> Repo:
    """A repository at `a/repo.git`."""
    return Repo.init(root / "a/repo.git")


@pytest.fixture
def repository(storages: Storages, repo: Repo) -> Repository:
    """The same, resolved."""
    return storages.repository("default", "a/repo.git")
