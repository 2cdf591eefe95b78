"""Output of `git cat-file --batch` and `--batch-check`: many objects, taken apart as they come."""

from __future__ import annotations

from itertools import compress
from typing import NamedTuple

from gitaly_py.git.wire.catfile import parse_header
from gitaly_py.git.wire.errors import MissingObject

Part = tuple[bytes, int, bytes]
"""Of an object: its id, its size, and its first bytes; further bytes of the same come with an empty id."""

_MISSING = b" missing\n"

PIECE = 128 << 10
"""Bytes of the largest object that comes whole, and of the largest piece of another one."""


class Sizes(NamedTuple):
    """Ids of blobs and the decimal digits of their sizes, as columns of equal length."""

    oids: list[bytes]
    sizes: list[bytes]


class BatchSizes:
    """Takes `--batch-check` output apart, for its blobs."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Sizes:
        """The blobs in the next bytes of the output. Raises MissingObject."""
        data = self._rest + data
        end = data.rfind(b"\n") + 1
        self._rest = data[end:]
        fields = data[:end].split()
        oids, types, sizes = fields[::3], fields[1::3], fields[2::3]
        if types.count(b"blob") == len(types) == len(sizes):
            return Sizes(oids, sizes)
        missing = data.find(_MISSING, 0, end)
        if missing >= 0:
            raise _absence(data[data.rfind(b"\n", 0, missing) + 1 : missing + len(_MISSING) - 1])
        blobs = [kind == b"blob" for kind in types]
        return Sizes(list(compress(oids, blobs)), list(compress(sizes, blobs)))


class BatchContents:
    """Takes `--batch` output apart. limit: the most bytes that are wanted of an object, all if negative."""

    def __init__(self, limit: int = -1) -> None:
        self._limit = limit
        self._rest = b""
        self._oid = b""
        self._size = 0
        self._left = 0
        self._wanted = 0

    @property
    def within(self) -> bool:
        """Whether the last part's object goes on."""
        return self._wanted > 0

    def feed(self, data: bytes) -> list[Part]:
        """The objects in the next bytes of the output. Raises MissingObject, MalformedReply."""
        parts: list[Part] = []
        at = 0
        if self._left:
            at = self._continue(data, 0, parts)
        elif self._rest:
            data = self._rest + data
        limit = self._limit
        while (end := data.find(b"\n", at)) >= 0:
            try:
                oid, _, digits = data[at:end].split(b" ")
                size = int(digits)
            except ValueError:
                raise _absence(data[at:end]) from None
            begin = end + 1
            stop = begin + size
            if size > PIECE:
                if begin == len(data):
                    break
                self._oid, self._size, self._left = oid, size, size + 1
                self._wanted = size if limit < 0 else min(size, limit)
                at = self._continue(data, begin, parts)
                continue
            if stop >= len(data):
                break
            parts.append(
                (oid, size, data[begin:stop] if limit < 0 else data[begin : min(stop, begin + limit)])
            )
            at = stop + 1
        self._rest = data[at:]
        return parts

    def _continue(self, data: bytes, at: int, parts: list[Part]) -> int:
        """Takes what `data` has from `at` on of an object that comes in pieces; where it ends there."""
        stop = min(len(data), at + self._left)
        end = min(stop, at + self._wanted)
        for begin in range(at, end, PIECE):
            parts.append((self._oid, self._size, data[begin : min(begin + PIECE, end)]))
            self._oid, self._size = b"", 0
        self._wanted -= end - at
        self._left -= stop - at
        return stop


def _absence(line: bytes) -> MissingObject:
    """What a line says that announces no object. Raises MalformedReply."""
    parse_header(line)
    return MissingObject(line.partition(b" ")[0].decode("ascii", "replace"))
