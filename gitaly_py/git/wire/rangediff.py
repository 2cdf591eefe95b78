"""What `git range-diff` prints (diff-conflicts.md 8)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from gitaly_py.git.wire.errors import MalformedDiff
from gitaly_py.git.wire.goquote import quote

_PAIR = re.compile(rb"( *(?:-|\d+)): +(-+|[a-f0-9]+) ([>=!<]) +(?:-|\d+): +(-+|[a-f0-9]+)(?: (.*))?")
_INDENT = 4

DIFFERENT = b"!"
"""The comparison of a pair of commits that differ: their patch follows."""


class Pair(NamedTuple):
    """Two commits that correspond. old, new: their ids, dashes where there is none; comparison: `=!<>`."""

    old: bytes
    comparison: bytes
    new: bytes
    title: bytes


class RangeDiff:
    """Parses the output, cut at newlines, in batches of any size."""

    def __init__(self) -> None:
        self._width = 0
        self._comparison = b""

    def feed(self, lines: list[bytes]) -> Iterator[Pair | bytes]:
        """The pairs in these lines, and after one that differs the lines of its patch, with newlines.

        Raises MalformedDiff.
        """
        for line in lines:
            pair = self._pair(line)
            if pair is not None:
                self._comparison = pair.comparison
                yield pair
            elif self._comparison != DIFFERENT:
                raise MalformedDiff(f"unexpected line {quote(line[:80])}")
            elif len(line) < _INDENT:
                raise MalformedDiff(f"short line {quote(line)}")
            else:
                yield line[_INDENT:] + b"\n"

    def _pair(self, line: bytes) -> Pair | None:
        found = _PAIR.fullmatch(line)
        if found is None:
            return None
        # git prints no blank in front of a title that is empty.
        number, *columns = found.groups(default=b"")
        # All numbers have one width. A file that holds a range-diff has further blanks before them.
        self._width = self._width or len(number)
        return Pair(*columns) if len(number) == self._width else None
