"""Gives back to the system what the allocator keeps for itself after a burst.

Two thousand TLS connections that have ended leave 100 MiB behind which nobody uses: the C library returns the
memory of many small objects only when asked to.
"""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Callable
from typing import Any

from gitaly_py.telemetry.tasks import end_all, spawn

_SECONDS = 5
_BURST = 500
"""Connections that have ended, from which on it is worth to ask: that takes some ten milliseconds."""


class SpareMemory:
    """Looks after the memory of connections that have ended; ended: how many there were so far."""

    def __init__(self, ended: Callable[[], int]) -> None:
        self._ended = ended
        self._trim = _trimmer()
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        """Begins to watch; does nothing where the C library can't be asked."""
        if self._trim is not None:
            spawn(self._watch(self._trim), name="spare memory", owner=self._tasks)

    async def stop(self) -> None:
        await end_all(self._tasks)

    async def _watch(self, trim: Callable[[int], int]) -> None:
        looked_after = 0
        while True:
            await asyncio.sleep(_SECONDS)
            if self._ended() >= looked_after + _BURST:
                looked_after = self._ended()
                await asyncio.to_thread(trim, 0)


def _trimmer() -> Callable[[int], int] | None:
    """glibc's malloc_trim; other C libraries don't have it."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
