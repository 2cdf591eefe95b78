"""Diff records as encoded `raw_changes` of GetRawChangesResponse (repository.md)."""

from __future__ import annotations

from collections.abc import Iterable
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


class ChangedBlobs:
    """Makes changes of what git prints."""

    def __init__(self, object_format: ObjectFormat) -> None:
        self._diff = RawDiff(object_format)
        self._kinds = _Kinds(object_format)

    def changed(self, fields: list[bytes]) -> list[Change]:
        """The changes that end within these fields. Raises MalformedDiff."""
        kinds, modes, status = self._kinds, MODES, self._kinds.status
        changes: list[Change] = []
        for run in self._diff.feed(fields):
            source = run.source
            for meta, path in zip(run.metas, run.paths, strict=True):
                between, oid, has_old, has_new = kinds[meta[modes] + meta[status]]
                old_path = (source or path) if has_old else b""
                changes.append((between, meta[oid], old_path, path if has_new else b""))
        return changes

    def end(self) -> None:
        """git prints nothing more. Raises MalformedDiff when a record is incomplete."""
        self._diff.end()


def blobs_of(changes: Iterable[Change]) -> list[bytes]:
    """The ids of the blobs, whose sizes the changes tell."""
    return [oid for _, oid, _, _ in changes if oid]


def encoded(changes: Iterable[Change], sizes: Iterable[int]) -> bytes:
    """The changes as fields of the response. sizes: of the blobs, in bytes."""
    left = iter(sizes)
    known = _Sizes()
    parts: list[bytes] = []
    for between, oid, old_path, new_path in changes:
        size = known[next(left)] if oid else b""
        before_old, before_new, before_oid = between[len(old_path), len(new_path), len(size)]
        parts += (before_old, old_path, before_new, new_path, before_oid, oid, size)
    return b"".join(parts)


class _Sizes(dict[int, bytes]):
    """Sizes as encoded fields."""

    def __missing__(self, size: int) -> bytes:
        field = self[size] = _SIZE + varint(size)
        return field


class Between(dict[tuple[int, int, int], tuple[bytes, bytes, bytes]]):
    """What stands before the old path, the new path and the id in encoded changes of one kind.

    Looked up by the lengths of both paths and of the encoded size; a path that is not sent has none.
    head: operation and modes, encoded; digits: of the id, none for a submodule.
    """

    def __init__(self, head: bytes, digits: int) -> None:
        self._head = head
        self._digits = digits

    def __missing__(self, lengths: tuple[int, int, int]) -> tuple[bytes, bytes, bytes]:
        old, new, _ = lengths
        before_old = self._head + (_OLD_PATH(old) if old else b"")
        before_new = _NEW_PATH(new) if new else b""
        before_oid = _BLOB_ID(self._digits) if self._digits else b""
        whole = sum(map(len, (before_old, before_new, before_oid))) + sum(lengths) + self._digits
        found = self[lengths] = (_ENTRY(whole) + before_old, before_new, before_oid)
        return found


Change = tuple[Between, bytes, bytes, bytes]
"""What is common to its kind, the id of its blob (empty for a submodule), the old path and the new one."""


class _Kind(NamedTuple):
    """What changes of the same modes and status share.

    oid: where the meta has the id of the blob; has_old, has_new: which paths are sent.
    """

    between: Between
    oid: slice
    has_old: bool
    has_new: bool


class _Kinds(dict[bytes, _Kind]):
    """The kinds seen so far, by modes and status as git prints them. status: where a meta has the latter."""

    def __init__(self, object_format: ObjectFormat) -> None:
        self._digits = digits = object_format.hex_length
        old, new = MODES.stop + 1, MODES.stop + 1 + digits + 1
        self._old, self._new = slice(old, old + digits), slice(new, new + digits)
        self.status = slice(new + digits + 1, new + digits + 2)

    def __missing__(self, key: bytes) -> _Kind:
        change = parse_meta(key[:-1] + b" 0 0 " + key[-1:])
        status, old_mode, new_mode = change.statuses[0], change.old_modes[0], change.new_mode
        operation = _OPERATIONS.get(status, RawChange.UNKNOWN)
        message = RawChange(operation=operation, old_mode=old_mode, new_mode=new_mode)
        side, mode = (self._new, new_mode) if new_mode else (self._old, old_mode)
        is_blob = mode != SUBMODULE
        kind = self[key] = _Kind(
            Between(message.SerializeToString(), self._digits if is_blob else 0),
            side if is_blob else slice(0, 0),
            status != ord("A"),
            status != ord("D"),
        )
        return kind
