"""Storages as the status page shows them, also when the disk below one does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gitaly_py.daemon.status.snapshot import StorageState
from gitaly_py.storage.statistics import disk_usage, storage_status
from gitaly_py.telemetry.tasks import end_all, spawn

PATIENCE: Final = 1.0
"""Seconds that a disk has to answer before a storage is shown as one that can't be read."""


class StorageWatch:
    """Looks at storages, at each of them once at a time: a disk that hangs holds one thread and no page.

    paths: by the name of the storage. patience: seconds for all of them.
    """

    def __init__(self, paths: Mapping[str, str], *, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._paths = paths
        self._looking: dict[str, asyncio.Task[StorageState]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    async def look(self) -> Sequence[StorageState]:
        """The state of every storage, in the order of the configuration."""
        looking = {name: self._look_at(name, path) for name, path in self._paths.items()}
        if looking:
            await asyncio.wait(looking.values(), timeout=self._patience)
        return [
            task.result()
            if task.done() and not task.cancelled()
            else StorageState(name, self._paths[name], None, None, False, False)
            for name, task in looking.items()
        ]

    async def close(self) -> None:
        """Waits for no disk any longer; whoever does is shown storages that can't be read."""
        await end_all(self._tasks)

    def _look_at(self, name: str, path: str) -> asyncio.Task[StorageState]:
        task = self._looking.get(name)
        if task is None or task.done():
            task = spawn(_look(name, path), name=f"status of {name}", owner=self._tasks)
            self._looking[name] = task
        return task


async def _look(name: str, path: str) -> StorageState:
    status, usage = await storage_status(path), await disk_usage(path)
    return StorageState(
        name,
        path,
        used=None if usage is None else usage.used,
        available=None if usage is None else usage.available,
        readable=status.readable,
        writable=status.writeable,
    )
