"""What `git diff --numstat -z` prints (diff-conflicts.md 5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gitaly_py.git.wire.errors import MalformedStats

_BINARY = b"-"


class FileStats(NamedTuple):
    """Lines added to and removed from a file, zero for a binary one. old_path: of a rename, else empty."""

    added: int
    removed: int
    path: bytes
    old_path: bytes


class NumStat:
    """Parses the output, cut at NUL, in batches of any size."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []

    def feed(self, fields: list[bytes]) -> Iterator[FileStats]:
        """The files whose records end within these fields. Raises MalformedStats."""
        left = iter(self._rest + fields if self._rest else fields)
        begun: list[bytes] = []
        try:
            for field in left:
                begun = [field]
                added, removed, path = _parts(field)
                old_path = b""
                if not path:
                    begun.append(old_path := next(left))
                    path = next(left)
                begun = []
                yield FileStats(added, removed, path, old_path)
        except StopIteration:
            pass
        self._rest = begun

    def end(self) -> None:
        """There are no more fields. Raises MalformedStats when a record is incomplete."""
        if self._rest:
            raise MalformedStats(self._rest[0])


def _parts(field: bytes) -> tuple[int, int, bytes]:
    try:
        added, removed, path = field.split(b"\t", 2)
        return _count(added), _count(removed), path
    except ValueError:
        raise MalformedStats(field) from None


def _count(digits: bytes) -> int:
    return 0 if digits == _BINARY else int(digits)
