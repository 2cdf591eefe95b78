"""Encodes listed blobs and LFS pointers without a message object for each.

ListBlobs and ListAllBlobs have the same fields, up to the path that only the former has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from gitaly_py.git.wire.batch import Part, Sizes
from gitaly_py.git.wire.lfs import parse_pointer
from gitaly_py.pb.blob_pb2 import LFSPointer, ListBlobsResponse
from gitaly_py.rpc.packer import field_prefixes, varint

_Blob = ListBlobsResponse.Blob
_blob_prefix = field_prefixes(ListBlobsResponse.BLOBS_FIELD_NUMBER)
_oid_prefix = field_prefixes(_Blob.OID_FIELD_NUMBER, 65)
_data_prefix = field_prefixes(_Blob.DATA_FIELD_NUMBER)
_path_prefix = field_prefixes(_Blob.PATH_FIELD_NUMBER)
_SIZE = varint(_Blob.SIZE_FIELD_NUMBER << 3)

MAX_POINTER = 200
"""Bytes of the largest LFS pointer."""

_pointer_oid = field_prefixes(LFSPointer.OID_FIELD_NUMBER, 65)
_pointer_data = field_prefixes(LFSPointer.DATA_FIELD_NUMBER, MAX_POINTER + 1)
_POINTER_SIZE = varint(LFSPointer.SIZE_FIELD_NUMBER << 3)
_SIZED = [_POINTER_SIZE + varint(size) + _pointer_data(size) for size in range(MAX_POINTER + 1)]
_FILE_OID = field_prefixes(LFSPointer.FILE_OID_FIELD_NUMBER, 65)(64)
_FILE_SIZE = varint(LFSPointer.FILE_SIZE_FIELD_NUMBER << 3)

_KEPT = 1 << 14
"""Encoded parts that are kept for the next entry that needs them."""

_PORTION = 256
_LONG = 2048
"""So many entries without data are encoded at a stretch, unless one of them has more bytes than this."""

_PIECE = 128 << 10
"""Bytes of entries with data that are encoded at a stretch."""

_ABOUT = 64
"""Bytes of an entry's id and size."""


class _Endings(dict[int, bytes]):
    """The encoded size of a blob, by that size: what an entry without path and data ends with."""

    def __missing__(self, size: int) -> bytes:
        if len(self) >= _KEPT:
            self.clear()
        encoded = self[size] = _SIZE + varint(size) if size else b""
        return encoded


class _Beginnings(dict[int, bytes]):
    """What an entry with an id begins with, up to the id, by the length of what follows the id."""

    def __init__(self, hex_length: int) -> None:
        super().__init__()
        self._oid = _oid_prefix(hex_length)
        self._id_length = len(self._oid) + hex_length

    def __missing__(self, rest: int) -> bytes:
        if len(self) >= _KEPT:
            self.clear()
        beginning = self[rest] = _blob_prefix(self._id_length + rest) + self._oid
        return beginning


class BlobEncoder:
    """Turns blobs into encoded `blobs` fields of the response.

    paths: where to take the path of each further blob from, None for no paths.
    """

    def __init__(self, hex_length: int, paths: Iterator[bytes] | None = None) -> None:
        self._endings = _Endings()
        self._beginnings = _Beginnings(hex_length)
        self._paths = paths
        self._path = b""

    def sizes(self, blobs: Sizes) -> Iterator[bytes]:
        """The blobs as one entry each, without data; some of them at a time."""
        for at in range(0, len(blobs.oids), _PORTION):
            oids = blobs.oids[at : at + _PORTION]
            endings = list(map(self._endings.__getitem__, map(int, blobs.sizes[at : at + _PORTION])))
            if self._paths is None:
                yield _interleaved([self._beginnings[len(ending)] for ending in endings], oids, endings)
            else:
                yield from self._with_paths(oids, endings, list(islice(self._paths, len(oids))))

    def _with_paths(self, oids: list[bytes], endings: list[bytes], paths: list[bytes]) -> Iterator[bytes]:
        tags = [_path_prefix(len(path)) if path else b"" for path in paths]
        rests = [len(tag) + len(path) + len(end) for tag, path, end in zip(tags, paths, endings, strict=True)]
        beginnings = [self._beginnings[rest] for rest in rests]
        size = _PORTION if max(rests) <= _LONG else 1
        for at in range(0, len(oids), size):
            columns = (column[at : at + size] for column in (beginnings, oids, endings, tags, paths))
            yield _interleaved(*columns)

    def contents(self, parts: Iterable[Part]) -> Iterator[bytes]:
        """The parts as one entry each, _PIECE bytes or a little more at a time.

        The path is in every one of a blob's entries, id and size are in the first only.
        """
        out: list[bytes] = []
        total = 0
        beginnings, endings, path = self._beginnings, self._endings, self._path
        for oid, size, data in parts:
            if oid and self._paths is not None:
                path = self._path = _encoded_path(next(self._paths))
            content = _data_prefix(len(data)) if data else b""
            rest = len(path) + len(content) + len(data)
            if oid:
                ending = endings[size]
                out += (beginnings[rest + len(ending)], oid, ending, path, content, data)
            else:
                out += (_blob_prefix(rest), path, content, data)
            total += rest + _ABOUT
            if total >= _PIECE:
                yield b"".join(out)
                out, total = [], 0
        if out:
            yield b"".join(out)


def encoded_pointers(blobs: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
    """The encoded LFSPointer of each of the (id, content) that is one, without the tag of its field."""
    return [
        b"".join(
            (
                _SIZED[len(data)],
                data,
                _pointer_oid(len(oid)),
                oid,
                _FILE_OID,
                found.oid,
                _file_size(found.size),
            )
        )
        for oid, data in blobs
        if (found := parse_pointer(data)) is not None
    ]


def _file_size(size: int) -> bytes:
    return _FILE_SIZE + varint(size) if size else b""


def _interleaved(*columns: list[bytes]) -> bytes:
    """The first of each column, the second of each, and so on."""
    count = len(columns)
    mixed = [b""] * (count * len(columns[0]))
    for number, column in enumerate(columns):
        mixed[number::count] = column
    return b"".join(mixed)


def _encoded_path(path: bytes) -> bytes:
    return _path_prefix(len(path)) + path if path else b""
