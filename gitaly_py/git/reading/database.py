"""SHA-1 objects through libgit2's object database: raw bytes within microseconds, no repository opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pygit2
from pygit2.enums import ConfigLevel, ObjectType

from gitaly_py.git.reading.interface import GitObject, ObjectInfo
from gitaly_py.git.reading.stores import ObjectStores
from gitaly_py.git.repository import GitRepository
from gitaly_py.git.wire.objects import SHA1

_OPEN_PACKS = 512
"""Pack files that libgit2 keeps open, over all repositories."""

_TYPES = {
    ObjectType.COMMIT: "commit",
    ObjectType.TREE: "tree",
    ObjectType.BLOB: "blob",
    ObjectType.TAG: "tag",
}

T = TypeVar("T")

ObjectUnreadableHere = pygit2.GitError
"""What a database raises for an object it can't make sense of; git may still be able to."""


def configure() -> None:
    """Settings of the library, which hold for the whole process (daemon.md 10)."""
    pygit2.settings.owner_validation = False
    for level in (ConfigLevel.SYSTEM, ConfigLevel.XDG, ConfigLevel.GLOBAL, ConfigLevel.PROGRAMDATA):
        pygit2.settings.search_path[level] = ""
    # git, too, checks an object's hash only when it receives it.
    pygit2.settings.enable_strict_hash_verification(False)
    pygit2.settings.mwindow_file_limit = _OPEN_PACKS


configure()


class ObjectDatabase:
    """The objects of one repository, as seen through its object directories.

    Both look-ups take a full id and raise ObjectUnreadableHere.
    """

    def __init__(self, repository: GitRepository) -> None:
        self._repository = repository
        self._open()

    @property
    def unchanged(self) -> bool:
        """Whether the object directories are still as they were when opened."""
        return self._stores.unchanged()

    @property
    def packs(self) -> int:
        """Pack files, each of which may cost a handle and a mapping."""
        return self._stores.packs

    def info(self, oid: str) -> ObjectInfo | None:
        """Type and size of an object."""
        # git knows the empty tree without having it.
        if oid == SHA1.empty_tree:
            return ObjectInfo(oid, "tree", 0)
        found = self._looked_up(lambda database: database.read_header(oid))
        return None if found is None else ObjectInfo(oid, _TYPES[found[0]], found[1])

    def read(self, oid: str) -> GitObject | None:
        """A whole object."""
        if oid == SHA1.empty_tree:
            return GitObject(oid, "tree", b"")
        found = self._looked_up(lambda database: database.read(oid))
        return None if found is None else GitObject(oid, _TYPES[found[0]], found[1])

    def _looked_up(
        self, look_up: Callable[[pygit2.Odb], tuple[ObjectType, T]]
    ) -> tuple[ObjectType, T] | None:
        """Tries again with fresh handles: a repack may have replaced what is open."""
        try:
            return look_up(self._odb)
        except KeyError:
            if self._stores.unchanged():
                return None
        except pygit2.GitError:
            pass
        self._open()
        try:
            return look_up(self._odb)
        except KeyError:
            return None

    def _open(self) -> None:
        self._stores = ObjectStores(self._repository)
        self._odb = pygit2.Odb()
        for folder in self._stores.folders:
            self._odb.add_backend(pygit2.OdbBackendPack(folder), 2)
            self._odb.add_backend(pygit2.OdbBackendLoose(folder, -1, False), 1)
