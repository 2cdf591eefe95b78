"""Diff records as encoded `raw_changes` of GetRawChangesResponse (repository.md)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gitaly_py.git.wire.objects import SUBMODULE, ObjectFormat
from gitaly_py.git.wire.rawdiff import MODES, RawDiff, parse_meta
from gitaly_py.pb.repository_pb2 import GetRawChangesResponse
from gitaly_py.rpc.packer import field_prefixes, varint

RawChange = GetRawChangesResponse.RawChange

_OPERATIONS = {
    ord("A"): RawChange.ADDED,
    ord("C"): RawChange.COPIED,
    ord("D"): RawChange.DELETED,
    ord("M"): RawChange.MODIFIED,
    ord("R"): RawChange.RENAMED,
    ord("T"): RawChange.TYPE_CHANGED,
}

_ENTRY = field_prefixes(GetRawChangesResponse.RAW_CHANGES_FIELD_NUMBER)
_OLD_PATH = field_prefixes(RawChange.OLD_PATH_BYTES_FIELD_NUMBER)
_NEW_PATH = field_prefixes(RawChange.NEW_PATH_BYTES_FIELD_NUMBER)
_BLOB_ID = field_prefixes(RawChange.BLOB_ID_FIELD_NUMBER, 65)
_SIZE = varint(RawChange.SIZE_FIELD_NUMBER << 3)


class Changed(NamedTuple):
    """A change without the size of its blob.

    encoded: operation, modes and paths; oid: of the blob, empty for a submodule.
    """

    encoded: bytes
    oid: bytes


class ChangedBlobs:
    """Makes changes of what git prints."""

    def __init__(self, object_format: ObjectFormat) -> None:
        self._diff = RawDiff(object_format)
        self._kinds = _Kinds(object_format)

    def changed(self, fields: list[bytes]) -> Iterator[Changed]:
        """The changes that end within these fields. Raises MalformedDiff."""
        kinds, modes, status = self._kinds, MODES, self._kinds.status
        for run in self._diff.feed(fields):
            for meta, path in zip(run.metas, run.paths, strict=True):
                head, has_old, has_new, oid = kinds[meta[modes] + meta[status]]
                if has_old:
                    old_path = run.source or path
                    head += _OLD_PATH(len(old_path)) + old_path
                if has_new:
                    head += _NEW_PATH(len(path)) + path
                yield Changed(head, meta[oid])

    def end(self) -> None:
        """git prints nothing more. Raises MalformedDiff when a record is incomplete."""
        self._diff.end()


def entry(change: Changed, size: int) -> bytes:
    """The change as an encoded field of the response. size: of the blob, in bytes."""
    encoded, oid = change
    if oid:
        encoded += _BLOB_ID(len(oid)) + oid + _SIZE + varint(size)
    return _ENTRY(len(encoded)) + encoded


class _Kind(NamedTuple):
    """What changes of the same modes and status share.

    head: operation and modes, encoded; has_old, has_new: which paths are sent; oid: where the meta has the
    id of the blob.
    """

    head: bytes
    has_old: bool
    has_new: bool
    oid: slice


class _Kinds(dict[bytes, _Kind]):
    """The kinds seen so far, by modes and status as git prints them. status: where a meta has the latter."""

    def __init__(self, object_format: ObjectFormat) -> None:
        digits = object_format.hex_length
        old, new = MODES.stop + 1, MODES.stop + 1 + digits + 1
        self._old, self._new = slice(old, old + digits), slice(new, new + digits)
        self.status = slice(new + digits + 1, new + digits + 2)

    def __missing__(self, key: bytes) -> _Kind:
        change = parse_meta(key[:-1] + b" 0 0 " + key[-1:])
        status, old_mode, new_mode = change.statuses[0], change.old_modes[0], change.new_mode
        operation = _OPERATIONS.get(status, RawChange.UNKNOWN)
        message = RawChange(operation=operation, old_mode=old_mode, new_mode=new_mode)
        side, mode = (self._new, new_mode) if new_mode else (self._old, old_mode)
        self[key] = kind = _Kind(
            message.SerializeToString(),
            status != ord("A"),
            status != ord("D"),
            slice(0, 0) if mode == SUBMODULE else side,
        )
        return kind
