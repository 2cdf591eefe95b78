"""Encodes listed blobs without a message object for each.

ListBlobs and ListAllBlobs have the same fields, up to the path that only the former has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gitaly_py.git.wire.batch import Part
from gitaly_py.pb.blob_pb2 import ListBlobsResponse
from gitaly_py.rpc.packer import field_prefixes, varint

_Blob = ListBlobsResponse.Blob
_blob_prefix = field_prefixes(ListBlobsResponse.BLOBS_FIELD_NUMBER)
_oid_prefix = field_prefixes(_Blob.OID_FIELD_NUMBER, 65)
_data_prefix = field_prefixes(_Blob.DATA_FIELD_NUMBER)
_path_prefix = field_prefixes(_Blob.PATH_FIELD_NUMBER)
_SIZE = varint(_Blob.SIZE_FIELD_NUMBER << 3)

_KEPT = 1 << 14
_PIECE = 128 << 10


class _Sizes(dict[int, bytes]):
    """The encoded size of a blob, by that size."""

    def __missing__(self, size: int) -> bytes:
        if len(self) >= _KEPT:
            self.clear()
        encoded = self[size] = _SIZE + varint(size) if size else b""
        return encoded


class BlobEncoder:
    """Turns parts of blobs into encoded `blobs` fields of the response.

    paths: where to take the path of each further blob from, None for no paths.
    """

    def __init__(self, hex_length: int, paths: Iterator[bytes] | None = None) -> None:
        self._oid = _oid_prefix(hex_length)
        self._id_length = len(self._oid) + hex_length
        self._sizes = _Sizes()
        self._paths = paths
        self._path = b""

    def encode(self, parts: Iterable[Part]) -> Iterator[bytes]:
        """The parts as one entry each, _PIECE bytes or a little more at a time.

        The path is in every one of a blob's entries, id and size are in the first only.
        """
        out: list[bytes] = []
        total = 0
        id_tag, id_length, sizes, path = self._oid, self._id_length, self._sizes, self._path
        for oid, size, data in parts:
            if oid and self._paths is not None:
                path = self._path = _encoded_path(next(self._paths))
            content = _data_prefix(len(data)) if data else b""
            length = len(path) + len(content) + len(data)
            if oid:
                encoded_size = sizes[size]
                length += id_length + len(encoded_size)
                out += (_blob_prefix(length), id_tag, oid, encoded_size, path, content, data)
            else:
                out += (_blob_prefix(length), path, content, data)
            total += length
            if total >= _PIECE:
                yield b"".join(out)
                out, total = [], 0
        if out:
            yield b"".join(out)


def _encoded_path(path: bytes) -> bytes:
    return _path_prefix(len(path)) + path if path else b""
