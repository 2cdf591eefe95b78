"""Loose objects: one zlib stream each, `<type> SP <size> NUL` and the content.

libgit2 could read them, but does not return from one that was cut off in a crash.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

from gitaly_py.git.reading.interface import GitObject, ObjectInfo

_HEADER = re.compile(rb"(commit|tree|blob|tag) ([0-9]{1,18})\0")
_LONGEST_HEADER = 32
_EAGER_INPUT = 4096
EAGER = 8192
"""Bytes of the largest object that is read where only its header is asked for."""
_HEADER_INPUT = 128
"""Compressed bytes that always hold the header."""


class DamagedObject(Exception):
    """A loose object that is no object."""


class LooseObjects:
    """The loose objects of some object directories. Both look-ups take a full id and raise DamagedObject."""

    def __init__(self, folders: Sequence[str]) -> None:
        self._folders = folders

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
        data = self._file(oid, _EAGER_INPUT)
        if data is None:
            return None
        try:
            start = zlib.decompressobj().decompress(data, EAGER + _LONGEST_HEADER)
        except zlib.error as error:
            raise DamagedObject(oid) from error
        info, begin = _parsed(oid, start)
        content = start[begin:]
        return GitObject(oid, info.type, content) if len(content) == info.size <= EAGER else info

    def read(self, oid: str) -> GitObject | None:
        """A whole object."""
        data = self._file(oid, -1)
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

    def _file(self, oid: str, size: int) -> bytes | None:
        for folder in self._folders:
            try:
                with open(f"{folder}/{oid[:2]}/{oid[2:]}", "rb", buffering=0) as file:
                    return file.read(size)
            except (FileNotFoundError, NotADirectoryError):
                continue
        return None


def _parsed(oid: str, data: bytes) -> tuple[ObjectInfo, int]:
    """What the header says, and where the content begins."""
    header = _HEADER.match(data)
    if header is None:
        raise DamagedObject(oid)
    return ObjectInfo(oid, header[1].decode(), int(header[2])), header.end()
