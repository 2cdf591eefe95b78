"""Objects as one call sees them: what was read a moment ago is not read again."""

from __future__ import annotations

from gitaly_py.git.reading.database import ObjectDatabase
from gitaly_py.git.reading.interface import GitObject, ObjectInfo


class RecentObjects:
    """An object database with a memory of one small object.

    Resolving a revision looks at the type of an object that is then read: most often one and the same,
    and small enough to be read at once.
    """

    __slots__ = ("_database", "_last")

    def __init__(self, database: ObjectDatabase) -> None:
        self._database = database
        self._last: GitObject | None = None

    @property
    def database(self) -> ObjectDatabase:
        """What is behind it."""
        return self._database

    def look(self, oid: str) -> GitObject | ObjectInfo | None:
        """See ObjectDatabase.look."""
        last = self._last
        if last is not None and last.oid == oid:
            return last
        found = self._database.look(oid)
        if isinstance(found, GitObject):
            self._last = found
        return found

    def info(self, oid: str) -> ObjectInfo | None:
        """See ObjectDatabase.info."""
        found = self.look(oid)
        return ObjectInfo(oid, found.type, len(found.data)) if isinstance(found, GitObject) else found

    def read(self, oid: str) -> GitObject | None:
        """See ObjectDatabase.read."""
        last = self._last
        return last if last is not None and last.oid == oid else self._database.read(oid)
