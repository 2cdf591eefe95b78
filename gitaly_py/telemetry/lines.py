"""A file that several processes write lines to: each line arrives in one piece."""

from __future__ import annotations

import os
import select
from typing import Final

_AHEAD: Final = 64 * 1024
"""Characters that are held before they are written without being asked to."""


class Lines:
    """Collects text and writes whole lines of it.

    The kernel does not mix what is written to a pipe at once, up to PIPE_BUF bytes; a longer line may be
    torn apart by another process's.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._text: list[str] = []
        self._length = 0

    def write(self, text: str) -> int:
        """Takes text; what it is written with is a later `flush`."""
        self._text.append(text)
        self._length += len(text)
        if self._length > _AHEAD:
            self.flush()
        return len(text)

    def flush(self) -> None:
        """Writes what was taken. Raises OSError."""
        # Another thread may write meanwhile.
        text, self._text = self._text, []
        self._length = 0
        data = memoryview("".join(text).encode("utf-8", "backslashreplace"))
        while data:
            data = data[os.write(self._fd, data[: _whole_lines(data)]) :]


def _whole_lines(data: memoryview) -> int:
    """Bytes of the lines at the beginning that fit into one write."""
    if len(data) <= select.PIPE_BUF:
        return len(data)
    beginning = bytes(data[: select.PIPE_BUF])
    end = beginning.rfind(b"\n") + 1
    return end or bytes(data).find(b"\n") + 1 or len(data)
