"""The `.gitattributes` files that can say something of given paths (repository.md, GetFileAttributes)."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable
from contextlib import aclosing
from typing import NamedTuple

from gitaly_py.git.reading.interface import GitObject, Reader
from gitaly_py.git.reading.trees import find_entry
from gitaly_py.git.wire.index import IndexEntry
from gitaly_py.git.wire.objects import ObjectFormat, TreeEntry, parse_tree

_NAME = b".gitattributes"
_MODE = 0o100644
"""Whatever it is in the tree: git reads a symbolic link of that name as if it were the file."""

_FEW = 4
"""Entries up to which looking for each takes less time than parsing the tree."""


class _Folder(NamedTuple):
    """A tree to be looked into. path: empty or with a slash at its end; below: paths relative to it."""

    path: bytes
    oid: str
    below: list[bytes]


async def attribute_files(reader: Reader, oid: str, paths: Iterable[bytes]) -> list[IndexEntry]:
    """Those in the folders of `paths` and above them, in the tree that the object `oid` is or has.

    No more folders are read than the paths name and the tree has. An object without a tree has none of them.
    """
    files: list[IndexEntry] = []
    root = await reader.info(oid.encode() + b"^{tree}")
    level = [] if root is None else [_Folder(b"", root.oid, [posixpath.normpath(path) for path in paths])]
    while level:
        deeper: list[_Folder] = []
        waiting = iter(level)
        async with aclosing(reader.read_each([folder.oid.encode() for folder in level])) as trees:
            async for tree in trees:
                folder = next(waiting)
                groups = _by_folder(folder.below)
                entries = _entries(tree, [_NAME, *groups], reader.format)
                own = entries.get(_NAME)
                if own is not None and own.type == "blob":
                    files.append(IndexEntry(folder.path + _NAME, _MODE, own.oid))
                deeper += [
                    _Folder(folder.path + name + b"/", entry.oid, below)
                    for name, below in groups.items()
                    if (entry := entries.get(name)) is not None and entry.type == "tree"
                ]
        level = deeper
    return files


def _by_folder(paths: Iterable[bytes]) -> dict[bytes, list[bytes]]:
    """The paths that have a folder, relative to their first one."""
    groups: dict[bytes, list[bytes]] = {}
    for path in paths:
        folder, slash, rest = path.partition(b"/")
        if slash:
            groups.setdefault(folder, []).append(rest)
    return groups


def _entries(
    tree: GitObject | None, names: Collection[bytes], object_format: ObjectFormat
) -> dict[bytes, TreeEntry]:
    """The entries of a tree that have one of the names."""
    if tree is None:
        return {}
    if len(names) <= _FEW:
        found = (find_entry(tree.data, name, object_format) for name in names)
        return {entry.name: entry for entry in found if entry is not None}
    wanted = set(names)
    return {entry.name: entry for entry in parse_tree(tree.data, object_format) if entry.name in wanted}
