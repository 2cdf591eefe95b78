"""Removing a repository: out of sight at once, then deleted (repository.md A11, RemoveRepository)."""

from __future__ import annotations

import asyncio
import os

from gitaly_py.storage import counting
from gitaly_py.storage.durable import sync_directory
from gitaly_py.storage.errors import AlreadyLocked, ConcurrentlyRemoved, RemovalLocked, RepositoryGone
from gitaly_py.storage.generations import Generations
from gitaly_py.storage.locks import locked
from gitaly_py.storage.repository import Repository
from gitaly_py.storage.temporary import temporary_directory


async def remove(repository: Repository, generations: Generations) -> None:
    """Removes it with all its files, and ends its generation.

    Raises RepositoryGone, RemovalLocked, ConcurrentlyRemoved, OSError.
    """
    if not os.path.lexists(repository.path):
        raise RepositoryGone(repository.path)
    try:
        with locked(repository.path):
            if not os.path.lexists(repository.path):
                raise ConcurrentlyRemoved(repository.path)
            await _delete(repository, generations)
    except AlreadyLocked as error:
        raise RemovalLocked(error.path) from error


async def _delete(repository: Repository, generations: Generations) -> None:
    name = f"{os.path.basename(repository.path)}+removed-"
    async with temporary_directory(repository.storage_path, name) as staging:
        os.rename(repository.path, os.path.join(staging, "repo"))
        counting.removed(repository.storage_path, repository.path)
        generations.raise_of(repository.path)
        await asyncio.to_thread(sync_directory, os.path.dirname(repository.path))
        await repository.readers.evict(repository.path)
