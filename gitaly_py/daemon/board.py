"""Memory that all workers of a daemon share: what each needs to know of the others without asking."""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from typing import Final

PLACES: Final = 256
"""Workers at a time, those that are being drained included."""

_COUNT: Final = struct.Struct("=I")
_GENERATION: Final = struct.Struct("=Q")
_GENERATIONS: Final = 1 << 16
_BEGIN: Final = PLACES * _COUNT.size
_SIZE: Final = _BEGIN + _GENERATIONS * _GENERATION.size
_RAISES: Final = 1 << 40
"""Generations that one worker can begin."""


class Board:
    """The shared memory, mapped. fd: to be inherited by workers.

    Values are written whole, each by a single instruction, so no reader finds half of one.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._map = mmap.mmap(fd, _SIZE)
        self._counts = memoryview(self._map)[:_BEGIN].cast("I")
        self._generations = memoryview(self._map)[_BEGIN:].cast("Q")

    @classmethod
    def new(cls) -> Board:
        """An empty one."""
        fd = os.memfd_create("board", os.MFD_CLOEXEC)
        os.ftruncate(fd, _SIZE)
        return cls(fd)

    def share(self, place: int) -> WorkerShare:
        """A worker's view of the connections. place: its own, below PLACES."""
        return WorkerShare(self._counts, place)

    def clear(self, place: int) -> None:
        """The worker of a place is gone."""
        self._counts[place] = 0

    def generations(self, worker: int) -> SharedGenerations:
        """The generations of repositories. worker: number that no other worker ever has."""
        return SharedGenerations(self._generations, worker)

    def close(self) -> None:
        """Unmaps the memory."""
        self._counts.release()
        self._generations.release()
        self._map.close()
        os.close(self.fd)


class WorkerShare:
    """Spreads connections evenly: the worker that has the fewest takes the next one.

    Without it the same worker tends to be the first to wake up. A place holds its connections and one more
    while it accepts any.
    """

    def __init__(self, counts: memoryview[int], place: int) -> None:
        self._counts = counts
        self._place = place

    def is_mine(self) -> bool:
        """See frontdoor.Share."""
        return self._counts[self._place] <= min(filter(None, self._counts), default=0)

    def hold(self, connections: int) -> None:
        """See frontdoor.Share."""
        self._counts[self._place] = connections + 1

    def leave(self) -> None:
        """See frontdoor.Share."""
        self._counts[self._place] = 0


class SharedGenerations:
    """Generations by path. Two paths may share one: that of either begins with that of the other."""

    def __init__(self, table: memoryview[int], worker: int) -> None:
        self._table = table
        self._next = worker * _RAISES

    def of(self, path: str) -> int:
        """The generation of a path, which it never had before."""
        return self._table[_index(path)]

    def raise_of(self, path: str) -> None:
        """Begins another one, for all workers at once.

        The value is one that no other worker writes, so that of two raises neither is lost.
        """
        self._next += 1
        self._table[_index(path)] = self._next


def _index(path: str) -> int:
    return zlib.crc32(path.encode("utf-8", "surrogateescape")) % _GENERATIONS
