"""Resolving plain revisions in process: names by git's rules, `^{type}`, `:path`."""

from __future__ import annotations

from gitaly_py.git.reading.recent import RecentObjects
from gitaly_py.git.reading.refs import FileReferences
from gitaly_py.git.reading.revisions import Plain, is_full_id, is_relative_path, parse
from gitaly_py.git.reading.trees import find_entry
from gitaly_py.git.wire.objects import SHA1


class Undecided(Exception):
    """Only git can tell what a revision means."""


class Resolver:
    """Finds the id a revision stands for. references: None when they can't be read in process."""

    __slots__ = ("_database", "_references")

    def __init__(self, database: RecentObjects, references: FileReferences | None) -> None:
        self._database = database
        self._references = references

    def resolve(self, revision: bytes) -> str | None:
        """The id, or None when the revision names nothing. The object may be missing.

        Raises Undecided, and ObjectUnreadableHere.
        """
        if is_full_id(revision, SHA1):
            return revision.decode("ascii").lower()
        if is_relative_path(revision):
            return None
        plain = parse(revision)
        if plain is None:
            raise Undecided
        oid = self._base(plain)
        for wanted in plain.peels:
            oid = oid and self._peeled(oid, wanted)
        if oid is None or plain.path is None:
            return oid
        return self._at_path(oid, plain.path)

    def _base(self, plain: Plain) -> str | None:
        if is_full_id(plain.base, SHA1):
            return plain.base.decode("ascii").lower()
        if self._references is None:
            raise Undecided
        oid = self._references.first(plain.names())
        if oid is not None:
            return oid
        if plain.may_be_short:
            raise Undecided
        return None

    def _peeled(self, oid: str, wanted: str) -> str | None:
        """The object of type `wanted` that `oid` leads to; see Plain.peels."""
        while (found := self._database.look(oid)) is not None:
            kind = found.type
            if wanted in (kind, "object") or (wanted == "" and kind != "tag"):
                return oid
            if kind != "tag" and (kind, wanted) != ("commit", "tree"):
                return None
            target = self._first_header(oid)
            if target is None:
                return None
            oid = target
        return None

    def _first_header(self, oid: str) -> str | None:
        """What a commit's `tree` or a tag's `object` line names: the first line of either."""
        found = self._database.read(oid)
        value = found.data.partition(b"\n")[0].partition(b" ")[2] if found else b""
        return value.decode("ascii") if is_full_id(value, SHA1) else None

    def _at_path(self, oid: str, path: bytes) -> str | None:
        """The entry at `path` below a tree-ish; one slash may follow the path of a folder."""
        root = self._peeled(oid, "tree")
        if root is None or not path:
            return root
        database = self._database.database
        known = database.kept_path(root, path)
        if known is not None:
            return known
        *folders, last = path.split(b"/")
        trees = [root]
        for name in folders:
            tree = self._entry(trees[-1], name, folder=True)
            if tree is None:
                return None
            trees.append(tree)
        found = self._entry(trees[-1], last, folder=False) if last else trees[-1]
        if found is not None:
            database.keep_path(root, path, found, trees)
        return found

    def _entry(self, tree: str, name: bytes, *, folder: bool) -> str | None:
        found = self._database.read(tree)
        if found is None or found.type != "tree":
            return None
        entry = find_entry(found.data, name, SHA1)
        if entry is None or (folder and entry.type != "tree"):
            return None
        return entry.oid
