"""Tree entries as records, and their encoding for GetTreeEntries (commit.md 3.3).

A record is what `git ls-tree -z` prints for an entry in our format: the path relative to the listed tree,
the id already encoded as the field of the message, six digits of mode. So a listing of 100,000 entries
becomes messages with little work for each.
"""

from __future__ import annotations

import stat
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import NamedTuple

from gitaly_py.git.wire.objects import SUBMODULE, ObjectFormat, parse_tree
from gitaly_py.pb.commit_pb2 import GetTreeEntriesRequest, GetTreeEntriesResponse, TreeEntry
from gitaly_py.rpc.packer import field_prefixes

_MODE = slice(-6, None)
_TREE = b"040000"
_TYPES = {
    b"100644": TreeEntry.BLOB,
    b"100755": TreeEntry.BLOB,
    b"120000": TreeEntry.BLOB,
    _TREE: TreeEntry.TREE,
    b"160000": TreeEntry.COMMIT,
}

Batches = AsyncGenerator[list[bytes], None]
"""Records, as many at a time as have arrived. Who is given one closes it."""


class Layout(NamedTuple):
    """How records look in a repository.

    format: what makes `git ls-tree` print them; oid_head: what precedes the id; oid, path: where these are.
    """

    format: str
    oid_head: bytes
    oid: slice
    path: slice


def layout_of(object_format: ObjectFormat) -> Layout:
    """The layout of records in a repository of this format."""
    head = _OID(object_format.hex_length)
    oid_at = _MODE.start - object_format.hex_length
    return Layout(
        "%(path)" + "".join(f"%x{byte:02x}" for byte in head) + "%(objectname)%(objectmode)",
        head,
        slice(oid_at, _MODE.start),
        slice(0, oid_at - len(head)),
    )


def records_of(tree: bytes, object_format: ObjectFormat) -> list[bytes]:
    """The records of one raw tree. Raises MalformedObject."""
    head = layout_of(object_format).oid_head
    return [
        b"%s%s%s%06o" % (entry.name, head, entry.oid.encode(), _canonical(entry.mode))
        for entry in parse_tree(tree, object_format)
    ]


def _canonical(mode: int) -> int:
    """The mode that git reports for whatever mode is stored."""
    kind = stat.S_IFMT(mode)
    if kind == stat.S_IFREG:
        return 0o100755 if mode & 0o100 else 0o100644
    return kind if kind in (stat.S_IFLNK, stat.S_IFDIR) else SUBMODULE


async def in_order(source: Batches, sort: int, layout: Layout) -> Batches:
    """The records of `source`, which has git's order, in that of a GetTreeEntriesRequest.SortBy."""
    later: list[bytes] = []
    async with aclosing(source) as batches:
        async for batch in batches:
            if sort == GetTreeEntriesRequest.TREES_FIRST:
                yield [record for record in batch if record[_MODE] == _TREE]
                later += [record for record in batch if record[_MODE] != _TREE]
            elif sort == GetTreeEntriesRequest.FILESYSTEM:
                later += batch
            else:
                yield batch
    if sort == GetTreeEntriesRequest.TREES_FIRST:
        later.sort(key=lambda record: _TYPES[record[_MODE]])
    else:
        later.sort(key=lambda record: record[layout.path])
    yield later


class Encoder:
    """Makes messages of records.

    prefix: what goes before each path, empty or with a slash at its end; commit_oid: as in the message.
    """

    def __init__(self, layout: Layout, prefix: bytes, commit_oid: str) -> None:
        self._layout = layout
        self._prefix = prefix
        self._commit_oid = commit_oid
        self._shapes = {mode: self._shapes_of(mode) for mode in _TYPES}

    def encoded(self, records: Sequence[bytes]) -> bytes:
        """The records as encoded `entries` of the response, without flat paths."""
        shapes = self._shapes
        return b"".join(
            [
                head + record[:-6] + tail
                for record in records
                for head, tail in (shapes[record[-6:]][len(record)],)
            ]
        )

    def entry(self, record: bytes) -> TreeEntry:
        """One record as a message; the flat path is the path."""
        path = self._prefix + record[self._layout.path]
        return TreeEntry(
            oid=record[self._layout.oid].decode(),
            path=path,
            type=_TYPES[record[_MODE]],
            mode=int(record[_MODE], 8),
            commit_oid=self._commit_oid,
            flat_path=path,
        )

    def _shapes_of(self, mode: bytes) -> _Shapes:
        # Fields may stand in any order, so these come last, and are the same for all entries of a mode.
        tail = TreeEntry(type=_TYPES[mode], mode=int(mode, 8), commit_oid=self._commit_oid)
        return _Shapes(self._layout, self._prefix, tail.SerializeToString())


class _Shapes(dict[int, tuple[bytes, bytes]]):
    """What an encoded entry has before and after path and id, by the record's length."""

    def __init__(self, layout: Layout, prefix: bytes, tail: bytes) -> None:
        self._path_end = layout.path.stop
        self._prefix = prefix
        self._tail = tail

    def __missing__(self, length: int) -> tuple[bytes, bytes]:
        path = len(self._prefix) + length + self._path_end
        head = _PATH(path) + self._prefix
        size = len(head) + length + _MODE.start + len(self._tail)
        shape = self[length] = (_ENTRY(size) + head, self._tail)
        return shape


_ENTRY = field_prefixes(GetTreeEntriesResponse.ENTRIES_FIELD_NUMBER)
_OID = field_prefixes(TreeEntry.OID_FIELD_NUMBER, 65)
_PATH = field_prefixes(TreeEntry.PATH_FIELD_NUMBER)
