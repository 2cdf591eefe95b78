"""Looking up a path in a revision's tree, byte for byte (commit.md 3.3 TreeEntry, ref-blob.md 6.2)."""

from __future__ import annotations

import asyncio

from gitaly_py.git.reading.interface import Reader
from gitaly_py.git.reading.trees import find_entry
from gitaly_py.git.wire.objects import ObjectFormat, TreeEntry, parse_tree

_DIRECTORIES = 64
"""Directories kept in memory."""

_NAMELESS = frozenset({b"", b".", b".."})

_LARGE_TREE = 64 * 1024
"""Bytes of a tree from which even looking through it would hold the loop for milliseconds."""


async def entry_at(reader: Reader, revision: bytes, path: bytes) -> TreeEntry | None:
    """The entry at `path`, or None. Only a plain path names something: neither `./x` nor `a//b` does."""
    if not _is_plain(path):
        return None
    directory, _, name = path.rpartition(b"/")
    tree = await reader.read(revision + b":" + directory)
    if tree is None or tree.type != "tree":
        return None
    if len(tree.data) >= _LARGE_TREE:
        return await asyncio.to_thread(find_entry, tree.data, name, reader.format)
    return find_entry(tree.data, name, reader.format)


def _is_plain(path: bytes) -> bool:
    return _NAMELESS.isdisjoint(path.split(b"/"))


class TreeLookup:
    """Finds many entries; a directory that is asked again is not read again."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._directories: dict[tuple[bytes, bytes], _Directory] = {}

    async def find(self, revision: bytes, path: bytes) -> TreeEntry | None:
        """See entry_at."""
        if not _is_plain(path):
            return None
        directory, _, name = path.rpartition(b"/")
        return (await self._directory(revision, directory)).entry(name)

    async def entries(self, revision: bytes, path: bytes) -> list[TreeEntry]:
        """The entries of the directory at `path` (empty for the root), in order; none where it is missing."""
        directory = await self._directory(revision, path)
        return list(reversed(directory.parse().values()))

    async def _directory(self, revision: bytes, path: bytes) -> _Directory:
        known = self._directories.get((revision, path))
        if known is None:
            if len(self._directories) >= _DIRECTORIES:
                self._directories.clear()
            known = self._directories[revision, path] = await self._read(revision + b":" + path)
        return known

    async def _read(self, revision: bytes) -> _Directory:
        tree = await self._reader.read(revision)
        data = tree.data if tree is not None and tree.type == "tree" else b""
        directory = _Directory(data, self._reader.format)
        if len(data) >= _LARGE_TREE:
            await asyncio.to_thread(directory.parse)
        return directory


class _Directory:
    """A raw tree: searched for one name, parsed for the second, since that takes several times as long."""

    def __init__(self, data: bytes, object_format: ObjectFormat) -> None:
        self._data = data
        self._format = object_format
        self._asked = False
        self._entries: dict[bytes, TreeEntry] | None = None

    def entry(self, name: bytes) -> TreeEntry | None:
        """The entry of that name; of several, which only a broken tree has, the first."""
        if not self._asked and self._entries is None:
            self._asked = True
            return find_entry(self._data, name, self._format)
        return self.parse().get(name)

    def parse(self) -> dict[bytes, TreeEntry]:
        """All entries by name. Raises MalformedObject."""
        if self._entries is None:
            self._entries = {entry.name: entry for entry in reversed(parse_tree(self._data, self._format))}
        return self._entries


def without_slash(path: bytes) -> bytes:
    """`path` as it is looked up: without slashes at its end, unless it is nothing but one."""
    return path.rstrip(b"/") if len(path) > 1 else path
