"""SHA-1 objects in process: packs through libgit2, loose objects by ourselves, no repository opened."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import pygit2
from pygit2.enums import ConfigLevel, ObjectType

from gitaly_py.git.reading.interface import GitObject, ObjectInfo
from gitaly_py.git.reading.looseobjects import EAGER, DamagedObject, LooseObjects
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


class ObjectUnreadableHere(Exception):
    """An object the database can't make sense of; git may still be able to."""


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
        return self._retried(lambda: self._packed_info(oid), lambda: self._loose.info(oid))

    def look(self, oid: str) -> GitObject | ObjectInfo | None:
        """A whole object if it is small, else type and size."""
        if oid == SHA1.empty_tree:
            return GitObject(oid, "tree", b"")
        return self._retried(lambda: self._packed_look(oid), lambda: self._loose.look(oid))

    def read(self, oid: str) -> GitObject | None:
        """A whole object."""
        if oid == SHA1.empty_tree:
            return GitObject(oid, "tree", b"")
        return self._retried(lambda: self._packed(oid), lambda: self._loose.read(oid))

    def _packed_info(self, oid: str) -> ObjectInfo | None:
        try:
            kind, size = self._odb.read_header(oid)
        except KeyError:
            return None
        return ObjectInfo(oid, _TYPES[kind], size)

    def _packed_look(self, oid: str) -> GitObject | ObjectInfo | None:
        info = self._packed_info(oid)
        return info if info is None or info.size > EAGER else self._packed(oid)

    def _packed(self, oid: str) -> GitObject | None:
        try:
            kind, data = self._odb.read(oid)
        except KeyError:
            return None
        return GitObject(oid, _TYPES[kind], data)

    def _retried(self, *places: Callable[[], T]) -> T | None:
        """Looks in each place, and again with fresh handles: a repack may have replaced what is open."""
        try:
            found = _first(places)
            if found is not None or self._stores.unchanged():
                return found
        except (pygit2.GitError, DamagedObject):
            pass
        self._open()
        try:
            return _first(places)
        except (pygit2.GitError, DamagedObject) as error:
            raise ObjectUnreadableHere(str(error)) from error

    def _open(self) -> None:
        self._stores = ObjectStores(self._repository)
        self._loose = LooseObjects(self._stores.folders)
        self._odb = pygit2.Odb()
        for folder in self._stores.folders:
            self._odb.add_backend(pygit2.OdbBackendPack(folder), 1)


def _first(places: Iterable[Callable[[], T]]) -> T | None:
    for look_up in places:
        found = look_up()
        if found is not None:
            return found
    return None
