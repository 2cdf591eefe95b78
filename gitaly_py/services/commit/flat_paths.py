"""Flat paths: a folder that holds nothing but one folder is shown as one (commit.md 3.3, GetTreeEntries)."""

from __future__ import annotations

from contextlib import aclosing

from gitaly_py.git.reading.interface import GitObject, Reader
from gitaly_py.git.wire import objects
from gitaly_py.pb.commit_pb2 import TreeEntry

_DEEPEST = 9


async def flatten(reader: Reader, entries: list[TreeEntry], below: bytes | None) -> None:
    """Extends the flat paths of those entries that are trees, by at most nine folders.

    below: the revision in which the paths of the entries are looked up, None when their ids say enough.
    """
    pending = [
        (entry, entry.oid.encode() if below is None else below + b":" + entry.path)
        for entry in entries
        if entry.type == TreeEntry.TREE
    ]
    for _ in range(_DEEPEST):
        if not pending:
            return
        deeper: list[tuple[TreeEntry, bytes]] = []
        waiting = iter(pending)
        async with aclosing(reader.read_each([revision for _, revision in pending])) as trees:
            async for tree in trees:
                entry, _ = next(waiting)
                only = _only_folder(reader, tree)
                if only is not None:
                    entry.flat_path += b"/" + only.name
                    deeper.append((entry, only.oid.encode()))
        pending = deeper


def _only_folder(reader: Reader, tree: GitObject | None) -> objects.TreeEntry | None:
    if tree is None or tree.type != "tree":
        return None
    # Seen without parsing all of a large tree: its first entry is its last.
    if tree.data.find(b"\0") + 1 + reader.format.raw_length != len(tree.data):
        return None
    (only,) = objects.parse_tree(tree.data, reader.format)
    return only if only.type == "tree" else None
