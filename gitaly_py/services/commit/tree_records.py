"""Tree entries as records, and their encoding for GetTreeEntries (commit.md 3.3).

A record is what `git ls-tree -z` prints for an entry: mode, type and id, a tab, and the path relative to
the listed tree. Listings of 100,000 entries become messages with no more work than to cut and join them.
"""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from gitaly_py.git.wire.objects import SUBMODULE, ObjectFormat, parse_tree
from gitaly_py.pb.commit_pb2 import GetTreeEntriesRequest, GetTreeEntriesResponse, TreeEntry
from gitaly_py.rpc.packer import field_prefixes, varint

_MODE = slice(0, 6)
_TREE = b"040000"
_SUBMODULE = b"160000"
_HEADS = {
    0o100644: b"100644 blob ",
    0o100755: b"100755 blob ",
    0o120000: b"120000 blob ",
    0o040000: b"040000 tree ",
    0o160000: b"160000 commit ",
}
_TYPES = {
    b"100644": TreeEntry.BLOB,
    b"100755": TreeEntry.BLOB,
    b"120000": TreeEntry.BLOB,
    _TREE: TreeEntry.TREE,
    _SUBMODULE: TreeEntry.COMMIT,
}

Batches = AsyncGenerator[list[bytes], None]
"""Records, as many at a time as have arrived. Who is given one closes it."""


def oid_of(record: bytes) -> bytes:
    """The id in a record."""
    return record.split(b"\t", 1)[0].rsplit(b" ", 1)[1]


def path_of(record: bytes) -> bytes:
    """The path in a record."""
    return record.split(b"\t", 1)[1]


def records_of(tree: bytes, object_format: ObjectFormat) -> list[bytes]:
    """The records of one raw tree. Raises MalformedObject."""
    return [
        b"%s%s\t%s" % (_HEADS[_canonical(entry.mode)], entry.oid.encode(), entry.name)
        for entry in parse_tree(tree, object_format)
    ]


def _canonical(mode: int) -> int:
    """The mode that git reports for whatever mode is stored."""
    kind = stat.S_IFMT(mode)
    if kind == stat.S_IFREG:
        return 0o100755 if mode & 0o100 else 0o100644
    return kind if kind in (stat.S_IFLNK, stat.S_IFDIR) else SUBMODULE


async def in_order(source: Batches, sort: int) -> Batches:
    """The records of `source`, which has git's order, in that of a GetTreeEntriesRequest.SortBy."""
    by_path: list[bytes] = []
    blobs: list[bytes] = []
    submodules: list[bytes] = []
    async with aclosing(source) as batches:
        async for batch in batches:
            if sort == GetTreeEntriesRequest.FILESYSTEM:
                by_path += batch
            elif sort == GetTreeEntriesRequest.TREES_FIRST:
                yield [record for record in batch if record[_MODE] == _TREE]
                submodules += [record for record in batch if record[_MODE] == _SUBMODULE]
                blobs += [record for record in batch if record[_MODE] not in (_TREE, _SUBMODULE)]
            else:
                yield batch
    # In a thread, since keys and comparisons of a large tree take longer than the loop can wait.
    if by_path:
        await asyncio.to_thread(by_path.sort, key=path_of)
    for records in (by_path, blobs, submodules):
        yield records


class Encoder:
    """Makes messages of records.

    prefix: what goes before each path, empty or with a slash at its end; commit_oid: as in the message.
    """

    def __init__(self, object_format: ObjectFormat, prefix: bytes, commit_oid: str) -> None:
        self._prefix = prefix
        self._commit_oid = commit_oid
        oid_at = len(_HEADS[0o100644])
        self._oid = slice(oid_at, oid_at + object_format.hex_length)
        # Fields may stand in any order. The path comes first; what follows is as long for each of the modes.
        self._tails = {mode: self._tail(mode, object_format) for mode in _TYPES if mode != _SUBMODULE}
        self._heads = _Heads(prefix, self._oid, len(self._tails[_TREE]))

    def encoded(self, records: Sequence[bytes]) -> bytes:
        """The records as encoded `entries` of the response, without flat paths."""
        heads, tails, oid, path_at = self._heads, self._tails, self._oid, self._oid.stop + 1
        parts: list[bytes] = []
        try:
            for record in records:
                parts += (heads[len(record)], record[path_at:], tails[record[:6]], record[oid])
        except KeyError:
            # Submodules are rare; the offsets in their records differ.
            entries = [self.entry(record, flat=False) for record in records]
            return GetTreeEntriesResponse(entries=entries).SerializeToString()
        return b"".join(parts)

    def entry(self, record: bytes, *, flat: bool = True) -> TreeEntry:
        """One record as a message; flat: the flat path is the path, else unset."""
        path = self._prefix + path_of(record)
        return TreeEntry(
            oid=oid_of(record).decode(),
            path=path,
            type=_TYPES[record[_MODE]],
            mode=int(record[_MODE], 8),
            commit_oid=self._commit_oid,
            flat_path=path if flat else b"",
        )

    def _tail(self, mode: bytes, object_format: ObjectFormat) -> bytes:
        """What follows the path up to the id."""
        rest = TreeEntry(mode=int(mode, 8), commit_oid=self._commit_oid)
        return _TYPE + varint(_TYPES[mode]) + rest.SerializeToString() + _OID(object_format.hex_length)


class _Heads(dict[int, bytes]):
    """What an encoded entry begins with, up to its path, by the record's length.

    oid: where the id is in the record; tail: the encoded size of what is between path and id.
    """

    def __init__(self, prefix: bytes, oid: slice, tail: int) -> None:
        self._prefix = prefix
        self._path_at = oid.stop + 1
        self._rest = tail + oid.stop - oid.start

    def __missing__(self, length: int) -> bytes:
        path = length - self._path_at
        begin = _PATH(len(self._prefix) + path) + self._prefix
        head = self[length] = _ENTRY(len(begin) + path + self._rest) + begin
        return head


_TYPE = varint(TreeEntry.TYPE_FIELD_NUMBER << 3)
_ENTRY = field_prefixes(GetTreeEntriesResponse.ENTRIES_FIELD_NUMBER)
_OID = field_prefixes(TreeEntry.OID_FIELD_NUMBER, 65)
_PATH = field_prefixes(TreeEntry.PATH_FIELD_NUMBER)
