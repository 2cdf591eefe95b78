"""One file's patch: what is kept of it, and its counts (diff-conflicts.md 1.3).

Counting works on many lines at a time. A line that is neither context nor added nor removed is rare, and
only those are looked at one by one.
"""

from __future__ import annotations

import re

_BODY = re.compile(rb"\n(?:@@|Binary|[ \\]|\+(?!\+\+)|-(?!--)|~(?=\n|\Z))")
_ODD = re.compile(rb"[^-+ ]")
_EMPTY = 0  # in place of the first byte of a line that has none
_PLAIN = (b"\n+", b"\n-", b"\n ")
_KEPT = (b"@@", b"\\", b"Binary", b"+", b"-", b" ")


class Patch:
    """Takes the lines below a `diff --git` line.

    kept: whether the text is wanted, or only its counts. lines, bytes: without hunk headers; size: with them.
    """

    __slots__ = ("_in_header", "_pieces", "added", "binary", "bytes", "kept", "lines", "removed", "size")

    def __init__(self, *, kept: bool = True) -> None:
        self.kept = kept
        self.lines = 0
        self.bytes = 0
        self.size = 0
        self.added = 0
        self.removed = 0
        self.binary = False
        self._pieces: list[bytes] = []
        self._in_header = True

    @property
    def text(self) -> bytes:
        """What was kept."""
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)

    def drop(self) -> None:
        """The text is not wanted any more."""
        self.kept = False
        self._pieces.clear()

    def take(self, data: bytes, start: int, stop: int) -> None:
        """The lines between the line ends at `start` and `stop`; the latter may be the end of `data`."""
        if self._in_header:
            body = _BODY.search(data, start, stop)
            if body is None:
                return
            self._in_header = False
            start = body.start()
        lines = data[start + 1 : stop].split(b"\n")
        firsts = bytes([line[0] if line else _EMPTY for line in lines])
        uncounted = headers = 0
        for found in _ODD.finditer(firsts):
            line = lines[found.start()]
            if line.startswith(b"@@"):
                uncounted += 1
                headers += len(line) + 1
            elif line.startswith(b"Binary"):
                self.binary = True
            elif line != b"~" and not line.startswith(b"\\"):
                self._take_known(lines, ended=stop < len(data))
                return
        size = min(stop + 1, len(data)) - start - 1
        self.lines += len(lines) - uncounted
        self.bytes += size - headers
        self.size += size
        self.added += firsts.count(b"+")
        self.removed += firsts.count(b"-")
        if self.kept:
            self._pieces.append(data[start + 1 : stop + 1])

    def can_take_part(self, data: bytes, start: int) -> bool:
        """Whether the line behind the line end at `start` may be taken before its end is known."""
        return not self._in_header and data.startswith(_PLAIN, start)

    def extend(self, data: bytes) -> None:
        """More of a line that was taken in part, up to its line end at most."""
        self.bytes += len(data)
        self.size += len(data)
        if self.kept:
            self._pieces.append(data)

    def _take_known(self, lines: list[bytes], *, ended: bool) -> None:
        """As `take`, without the lines that belong to no patch. ended: the last one has a line end."""
        known = [line for line in lines if _is_known(line)]
        ended = ended or not _is_known(lines[-1])
        if known:
            rest = b"\n" + b"\n".join(known)
            self.take(rest + b"\n" if ended else rest, 0, len(rest))


def _is_known(line: bytes) -> bool:
    return line.startswith(_KEPT) or line == b"~"
