"""Small objects that were read a while ago, over all repositories."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from gitaly_py.git.reading.interface import GitObject

KEPT_SIZE: Final = 8192
"""Bytes of the largest object that is kept: most commits, trees and tags are smaller."""

_MAX_BYTES: Final = 16 << 20
_LONGEST_PATH: Final = 256

_OVERHEAD: Final = 400
"""Bytes of an entry beside its content, roughly."""

Owner = object
"""Whoever has found an object: in its files the object is, as long as it goes by that name."""


class KeptObjects:
    """Objects by owner and id; those not used for longest go first. max_bytes: of memory, for all of them."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._objects: OrderedDict[tuple[Owner, str], GitObject] = OrderedDict()
        self.size = 0

    def get(self, owner: Owner, oid: str) -> GitObject | None:
        """What `owner` has found under this id."""
        key = owner, oid
        found = self._objects.get(key)
        if found is not None:
            self._objects.move_to_end(key)
        return found

    def keep(self, owner: Owner, found: GitObject) -> None:
        """Remembers an object that is small."""
        key = owner, found.oid
        if len(found.data) > KEPT_SIZE or key in self._objects:
            return
        self._objects[key] = found
        self.size += len(found.data) + _OVERHEAD
        while self.size > self._max_bytes:
            _, gone = self._objects.popitem(last=False)
            self.size -= len(gone.data) + _OVERHEAD


KEPT: Final = KeptObjects(_MAX_BYTES)
"""Those of this process."""


class KeptPaths:
    """What is at paths below trees, by owner; what was not asked for longest goes first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._oids: OrderedDict[tuple[Owner, str, bytes], str] = OrderedDict()

    def get(self, owner: Owner, tree: str, path: bytes) -> str | None:
        """The id that was found there."""
        key = owner, tree, path
        found = self._oids.get(key)
        if found is not None:
            self._oids.move_to_end(key)
        return found

    def keep(self, owner: Owner, tree: str, path: bytes, oid: str) -> None:
        """Remembers it."""
        if len(path) > _LONGEST_PATH:
            return
        self._oids[owner, tree, path] = oid
        if len(self._oids) > self._most:
            self._oids.popitem(last=False)


PATHS: Final = KeptPaths(4096)
"""Those of this process."""
