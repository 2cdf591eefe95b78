"""What is done for storages once a machine, however many workers serve them; lives in the supervisor."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import structlog

from gitaly_py.config import Config
from gitaly_py.storage import counting
from gitaly_py.storage.leftovers import remove_quarantines
from gitaly_py.storage.metadata import ensure_metadata
from gitaly_py.storage.temporary import TemporaryAreas
from gitaly_py.telemetry.tasks import end_all, spawn

_log = structlog.get_logger("gitaly")
_CLEANING_SECONDS = 3600


class Upkeep:
    """Keeps the storages in order, once a machine."""

    def __init__(self, config: Config) -> None:
        self._areas = TemporaryAreas([storage.path for storage in config.storage])
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stopping = threading.Event()

    async def start(self, config: Config) -> None:
        """Writes missing metadata files, and removes what a killed daemon left behind."""
        await self.mark(config)
        abandoned = await asyncio.to_thread(self._areas.sweep)
        spawn(self._remove_quarantines(abandoned), name="quarantine cleaner", owner=self._tasks)
        spawn(self._clean_hourly(), name="temporary area cleaner", owner=self._tasks)
        counted = counting.count([storage.path for storage in config.storage], self._stopping)
        spawn(counted, name="repository counter", owner=self._tasks)

    async def mark(self, config: Config) -> None:
        """Writes missing metadata files."""
        for storage in config.storage:
            try:
                await asyncio.to_thread(ensure_metadata, storage.path)
            except OSError as error:
                _log.error("failed to write storage metadata", storage_name=storage.name, error=str(error))

    async def stop(self) -> None:
        """Leaves them as they are."""
        self._stopping.set()
        await end_all(self._tasks)
        self._areas.release()

    async def _remove_quarantines(self, paths: list[str]) -> None:
        for path in paths:
            await asyncio.to_thread(remove_quarantines, path, self._stopping)

    async def _clean_hourly(self) -> None:
        while True:
            await asyncio.sleep(_CLEANING_SECONDS)
            await asyncio.to_thread(self._areas.clean)
