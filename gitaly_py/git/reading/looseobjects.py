"""Loose objects: one zlib stream each, `<type> SP <size> NUL` and the content.

libgit2 could read them, but does not return from one that was cut off in a crash.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Sequence
from contextlib import suppress

from gitaly_py.git.reading.interface import GitObject, ObjectInfo

_HEADER = re.compile(rb"(commit|tree|blob|tag) ([0-9]{1,18})\0")
_LONGEST_HEADER = 32
_EAGER_INPUT = 4096
EAGER = 8192
"""Bytes of the largest object that is read where only its header is asked for."""
_HEADER_INPUT = 128
"""Compressed bytes that always hold the header."""

KEPT = 16
KEPT_SIZE = 2048
"""So many objects of at most so many bytes are kept: heads of branches are read again and again."""


class DamagedObject(Exception):
    """A loose object that is no object."""


class LooseObjects:
    """The loose objects of some object directories. Both look-ups take a full id and raise DamagedObject."""

    def __init__(self, folders: Sequence[str]) -> None:
        self._folders = folders
        self._kept: dict[str, GitObject] = {}

    def info(self, oid: str) -> ObjectInfo | None:
        """Type and size of an object."""
        data = self._file(oid, _HEADER_INPUT)
        if data is None:
            return None
        try:
            start = zlib.decompressobj().decompress(data, _LONGEST_HEADER)
        except zlib.error as error:
            raise DamagedObject(oid) from error
        return _parsed(oid, start)[0]

    def look(self, oid: str) -> GitObject | ObjectInfo | None:
        """A whole object of at most EAGER bytes, else what its header says."""
        kept = self._kept.get(oid)
        # Its content is what the id says, as long as it is there.
        if kept is not None and self._path(oid) is not None:
            return kept
        data = self._file(oid, _EAGER_INPUT)
        if data is None:
            return None
        try:
            start = zlib.decompressobj().decompress(data, EAGER + _LONGEST_HEADER)
        except zlib.error as error:
            raise DamagedObject(oid) from error
        info, begin = _parsed(oid, start)
        content = start[begin:]
        if len(content) != info.size or info.size > EAGER:
            return info
        found = GitObject(oid, info.type, content)
        if info.size <= KEPT_SIZE:
            self._keep(found)
        return found

    def read(self, oid: str) -> GitObject | None:
        """A whole object."""
        data = self._file(oid, None)
        if data is None:
            return None
        try:
            whole = zlib.decompress(data)
        except zlib.error as error:
            raise DamagedObject(oid) from error
        info, begin = _parsed(oid, whole)
        if len(whole) - begin != info.size:
            raise DamagedObject(oid)
        return GitObject(oid, info.type, whole[begin:])

    def _keep(self, found: GitObject) -> None:
        if len(self._kept) >= KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[found.oid] = found

    def _path(self, oid: str) -> str | None:
        below = f"/{oid[:2]}/{oid[2:]}"
        for folder in self._folders:
            path = folder + below
            # Most objects are in packs, and an `open` in vain costs four times as much.
            if os.access(path, os.F_OK):
                return path
        return None

    def _file(self, oid: str, size: int | None) -> bytes | None:
        """The first `size` bytes of an object's file, None meaning all of them."""
        while (path := self._path(oid)) is not None:
            # One that goes just now may still be in another folder.
            with suppress(FileNotFoundError, NotADirectoryError):
                return _contents(path, size)
        return None


def _contents(path: str, size: int | None) -> bytes:
    if size is None:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(handle, size)
    finally:
        os.close(handle)


def _parsed(oid: str, data: bytes) -> tuple[ObjectInfo, int]:
    """What the header says, and where the content begins."""
    header = _HEADER.match(data)
    if header is None:
        raise DamagedObject(oid)
    return ObjectInfo(oid, header[1].decode(), int(header[2])), header.end()
