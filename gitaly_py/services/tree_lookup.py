"""Looking up a path in a revision's tree, byte for byte (commit.md 3.3 TreeEntry, ref-blob.md 6.2)."""

from __future__ import annotations

import asyncio

from gitaly_py.git.reading.interface import Reader
from gitaly_py.git.wire.objects import TreeEntry, parse_tree

_DIRECTORIES = 64
"""Directories kept in memory."""

_LARGE_TREE = 64 * 1024
"""Bytes of a tree from which parsing it would hold the loop for milliseconds."""


class TreeLookup:
    """Finds entries; a directory that is asked again is not read again."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._directories: dict[tuple[bytes, bytes], dict[bytes, TreeEntry]] = {}

    async def find(self, revision: bytes, path: bytes) -> TreeEntry | None:
        """The entry at `path`, or None. Only a plain path names something: neither `./x` nor `a//b` does."""
        if any(part in (b"", b".", b"..") for part in path.split(b"/")):
            return None
        directory, _, name = path.rpartition(b"/")
        return (await self._directory(revision, directory)).get(name)

    async def _directory(self, revision: bytes, path: bytes) -> dict[bytes, TreeEntry]:
        known = self._directories.get((revision, path))
        if known is None:
            if len(self._directories) >= _DIRECTORIES:
                self._directories.clear()
            known = self._directories[revision, path] = await self._read(revision + b":" + path)
        return known

    async def _read(self, revision: bytes) -> dict[bytes, TreeEntry]:
        tree = await self._reader.read(revision)
        if tree is None or tree.type != "tree":
            return {}
        if len(tree.data) < _LARGE_TREE:
            entries = parse_tree(tree.data, self._reader.format)
        else:
            entries = await asyncio.to_thread(parse_tree, tree.data, self._reader.format)
        # Of entries with one name, which only a broken tree has, the first one counts.
        return {entry.name: entry for entry in reversed(entries)}


def without_slash(path: bytes) -> bytes:
    """`path` as it is looked up: without slashes at its end, unless it is nothing but one."""
    return path.rstrip(b"/") if len(path) > 1 else path
