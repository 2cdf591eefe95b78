"""SHA-1 objects in process: packs through libgit2, loose objects by ourselves, no repository opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import pygit2
from pygit2.enums import ConfigLevel, ObjectType

from gitaly_py.git.reading.interface import GitObject, ObjectInfo
from gitaly_py.git.reading.kept import KEPT, PATHS
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

    The look-ups take a full id and raise ObjectUnreadableHere. Loose objects are looked for before packs:
    libgit2 lists the folder of packs for each object it does not find in one. An object on its way from one
    to the other is still found, since packs that are not those opened are looked into before giving up.

    opened: called when the object directories were opened anew.
    """

    def __init__(self, repository: GitRepository, opened: Callable[[], object] = lambda: None) -> None:
        self._repository = repository
        self._opened = opened
        self._open()

    @property
    def packs(self) -> int:
        """Pack files, each of which may cost a handle and a mapping."""
        return self._stores.packs

    def doubt(self) -> None:
        """A call begins: nothing is taken from what is open before a look at the object directories.

        What is found in the repository's own folder of loose objects needs none.
        """
        self._doubtful = True

    def refresh(self) -> bool:
        """Opens the object directories again unless they are as they were; whether it did so."""
        self._doubtful = False
        changed = not self._stores.unchanged()
        if changed:
            self._open()
            self._opened()
        return changed

    def info(self, oid: str) -> ObjectInfo | None:
        """Type and size of an object."""
        # git knows the empty tree without having it.
        if oid == SHA1.empty_tree:
            return ObjectInfo(oid, "tree", 0)
        return self._retried(oid, LooseObjects.info, ObjectDatabase._packed_info)

    def look(self, oid: str) -> GitObject | ObjectInfo | None:
        """A whole object if it is small, else type and size."""
        if oid == SHA1.empty_tree:
            return GitObject(oid, "tree", b"")
        return self._at_hand(oid) or self._retried(oid, LooseObjects.look, ObjectDatabase._packed_look)

    def read(self, oid: str) -> GitObject | None:
        """A whole object."""
        if oid == SHA1.empty_tree:
            return GitObject(oid, "tree", b"")
        return self._at_hand(oid) or self._retried(oid, LooseObjects.read, ObjectDatabase._packed)

    def kept_path(self, tree: str, path: bytes) -> str | None:
        """What `keep_path` was told, as long as the packs are the same."""
        known = PATHS.get(self._owner, tree, path)
        return None if known is None or (self._doubtful and self.refresh()) else known

    def keep_path(self, tree: str, path: bytes, oid: str, trees: Sequence[str]) -> None:
        """What is at a path below a tree. trees: on the way; all of them must be small and in packs."""
        if all(KEPT.get(self._owner, each) is not None for each in trees):
            PATHS.keep(self._owner, tree, path, oid)

    def _at_hand(self, oid: str) -> GitObject | None:
        """A small object that was found in a pack before; it is there as long as the packs are."""
        kept = KEPT.get(self._owner, oid)
        return None if kept is None or (self._doubtful and self.refresh()) else kept

    def _packed_info(self, oid: str) -> ObjectInfo | None:
        try:
            kind, size = self._odb.read_header(oid)
        except KeyError:
            return None
        return ObjectInfo(oid, _TYPES[kind], size)

    def _packed_look(self, oid: str) -> GitObject | ObjectInfo | None:
        try:
            kind, size = self._odb.read_header(oid)
        except KeyError:
            return None
        if size > EAGER:
            return ObjectInfo(oid, _TYPES[kind], size)
        return self._packed(oid)

    def _packed(self, oid: str) -> GitObject | None:
        try:
            kind, data = self._odb.read(oid)
        except KeyError:
            return None
        found = GitObject(oid, _TYPES[kind], data)
        KEPT.keep(self._owner, found)
        return found

    def _retried(
        self, oid: str, loose: Callable[[LooseObjects, str], T], packed: Callable[[ObjectDatabase, str], T]
    ) -> T | None:
        """Looks in both places, and again with fresh handles: a repack may have replaced what is open."""
        try:
            found = self._first(oid, loose, packed)
            if found is not None or not self.refresh():
                return found
        except (pygit2.GitError, DamagedObject):
            self._open()
        try:
            return self._first(oid, loose, packed)
        except (pygit2.GitError, DamagedObject) as error:
            raise ObjectUnreadableHere(str(error)) from error

    def _first(
        self, oid: str, loose: Callable[[LooseObjects, str], T], packed: Callable[[ObjectDatabase, str], T]
    ) -> T | None:
        damaged: DamagedObject | None = None
        try:
            own = loose(self._own, oid)
            if own is not None:
                return own
        except DamagedObject as error:
            damaged = error
        if self._doubtful and self.refresh():
            # What was in a pack that is gone may be loose by now.
            return self._first(oid, loose, packed)
        found = self._elsewhere(oid, loose, packed)
        if found is None and damaged is not None:
            raise damaged
        return found

    def _elsewhere(
        self, oid: str, loose: Callable[[LooseObjects, str], T], packed: Callable[[ObjectDatabase, str], T]
    ) -> T | None:
        try:
            return loose(self._borrowed, oid) or packed(self, oid)
        except DamagedObject:
            found = packed(self, oid)
            if found is None:
                raise
            return found

    def _open(self) -> None:
        self._doubtful = False
        self._stores = ObjectStores(self._repository)
        self._own = LooseObjects(self._stores.folders[:1])
        self._borrowed = LooseObjects(self._stores.folders[1:])
        self._owner = object()
        odb = pygit2.Odb()
        for folder in self._stores.folders:
            odb.add_backend(pygit2.OdbBackendPack(folder), 1)
        self._odb = odb
