"""Gives back to the system what the allocator keeps for itself after a burst.

Two thousand TLS connections that have ended leave 100 MiB behind which nobody uses: the C library returns the
memory of many small objects only when asked to.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gitaly_py.telemetry.tasks import end_all, spawn

_SECONDS = 5
_BURST = 500
"""Connections that have ended, from which on it is worth to ask: that takes some ten milliseconds."""
_GROWTH = 32 << 20
"""Bytes by which the process has grown, from which on it is worth to ask."""
_ROUNDS = 3
"""How often it is asked then, for what made the process grow may last some seconds more."""

_STATM = Path("/proc/self/statm")
_PAGE = os.sysconf("SC_PAGESIZE")


class SpareMemory:
    """Watches the size of this process; ended: how many connections have ended so far."""

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
        looked_after, floor, rounds = 0, resident_bytes(), 0
        while True:
            await asyncio.sleep(_SECONDS)
            if self._ended() >= looked_after + _BURST or resident_bytes() >= floor + _GROWTH:
                rounds = _ROUNDS
            if rounds:
                rounds -= 1
                looked_after = self._ended()
                await asyncio.to_thread(trim, 0)
                floor = resident_bytes()


def resident_bytes() -> int:
    """Physical memory that this process holds."""
    return int(_STATM.read_bytes().split()[1]) * _PAGE


def _trimmer() -> Callable[[int], int] | None:
    """glibc's malloc_trim; other C libraries don't have it."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
