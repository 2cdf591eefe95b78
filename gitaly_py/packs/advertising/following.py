"""An answer that is read while git writes it to a file."""

from __future__ import annotations

import asyncio
import os
from typing import Final, Protocol

from gitaly_py.storage.threads import to_the_end

_STEP: Final = 0.002
"""Seconds between two looks at the file; git writes some hundreds of kilobytes meanwhile."""
_PIECE: Final = 512 << 10
"""Bytes of the largest piece that is read in the event loop."""


class Early(Protocol):
    """Takes the beginning of an answer before its end is known. given: bytes taken so far."""

    given: int

    def take(self, piece: bytes) -> None:
        """The next piece."""


class Following:
    """Reads a file as it grows, and hands on what it has read. file: git writes at its position."""

    def __init__(self, file: int, early: Early) -> None:
        self.pieces: list[bytes] = []
        self._file = file
        self._early = early
        self._read = 0
        self._timer = asyncio.get_running_loop().call_later(_STEP, self._look)

    def stop(self) -> None:
        """Hands on nothing more."""
        self._timer.cancel()

    async def rest(self) -> bytes:
        """What was not read so far, once git has ended."""
        return await written(self._file, self._read)

    def _look(self) -> None:
        written = os.lseek(self._file, 0, os.SEEK_CUR)
        if written > self._read:
            piece = os.pread(self._file, min(written - self._read, _PIECE), self._read)
            self._read += len(piece)
            self.pieces.append(piece)
            self._early.take(piece)
        self._timer = asyncio.get_running_loop().call_later(_STEP, self._look)


async def written(file: int, begin: int = 0) -> bytes:
    """What was written to a file from `begin` on. file: it stays open."""
    size = os.lseek(file, 0, os.SEEK_CUR) - begin
    if size <= _PIECE:
        return os.pread(file, size, begin)
    return await to_the_end(os.pread, file, size, begin)
