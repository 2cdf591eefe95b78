"""Diff records as encoded `paths` of FindChangedPathsResponse (diff-conflicts.md 6.4).

Diffs of 100,000 paths become messages with no more work than to cut and join what git prints.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from gitaly_py.git.wire.errors import MalformedDiff
from gitaly_py.git.wire.objects import ObjectFormat
from gitaly_py.git.wire.rawdiff import MODES, Change, RawDiff, Run, parse_meta
from gitaly_py.pb.diff_pb2 import ChangedPaths, FindChangedPathsResponse
from gitaly_py.rpc.packer import Encoded, field_prefixes

_PIECE_BYTES = 256 * 1024

_STATUSES = {
    ord("A"): ChangedPaths.ADDED,
    ord("M"): ChangedPaths.MODIFIED,
    ord("D"): ChangedPaths.DELETED,
    ord("T"): ChangedPaths.TYPE_CHANGE,
    ord("C"): ChangedPaths.COPIED,
    ord("R"): ChangedPaths.RENAMED,
}

_ENTRY = field_prefixes(FindChangedPathsResponse.PATHS_FIELD_NUMBER)
_PATH = field_prefixes(ChangedPaths.PATH_FIELD_NUMBER)
_OLD_PATH = field_prefixes(ChangedPaths.OLD_PATH_FIELD_NUMBER)
_OLD_ID = field_prefixes(ChangedPaths.OLD_BLOB_ID_FIELD_NUMBER, 65)
_NEW_ID = field_prefixes(ChangedPaths.NEW_BLOB_ID_FIELD_NUMBER, 65)
_COMMIT_ID = field_prefixes(ChangedPaths.COMMIT_ID_FIELD_NUMBER, 65)


class Encoder:
    """Makes messages of what git prints. with_commits: each path says to which commit it belongs."""

    def __init__(self, object_format: ObjectFormat, *, with_commits: bool) -> None:
        self._diff = RawDiff(object_format)
        self._with_commits = with_commits
        self._commit: bytes | None = None
        digits = object_format.hex_length
        old_at, new_at = MODES.stop + 1, MODES.stop + 1 + digits + 1
        self._old = slice(old_at, old_at + digits)
        self._new = slice(new_at, new_at + digits)
        self._old_id, self._before_new = _OLD_ID(digits), _NEW_ID(digits)
        self._commit_id = _COMMIT_ID(digits) if with_commits else b""
        self._before_old = self._old_id
        before_ids = len(self._commit_id) + (digits if with_commits else 0) + len(self._old_id)
        self._heads = _Kinds(before_ids + len(self._before_new) + 2 * digits)

    def encoded(self, fields: list[bytes]) -> Iterator[Encoded]:
        """The paths that end within these fields, in pieces that fit a message. Raises MalformedDiff."""
        parts: list[bytes] = []
        size = 0
        for run in self._diff.feed(fields):
            if self._with_commits and self._diff.commit is not self._commit:
                self._begin_commit(self._diff.commit)
            if run.change is None:
                # However many a batch has, they fit a message.
                self._add_plain(parts, run)
                continue
            for entry in self._entries(run, run.change):
                parts.append(entry)
                size += len(entry)
                if size > _PIECE_BYTES:
                    yield Encoded(b"".join(parts))
                    parts, size = [], 0
        if parts:
            yield Encoded(b"".join(parts))

    def end(self) -> None:
        """git prints nothing more. Raises MalformedDiff when a record is incomplete."""
        self._diff.end()

    def _add_plain(self, parts: list[bytes], run: Run) -> None:
        heads, modes, old, new = self._heads, MODES, self._old, self._new
        before_old, before_new = self._before_old, self._before_new
        for meta, path in zip(run.metas, run.paths, strict=True):
            head = heads[meta[modes] + meta[-1:]][len(path)]
            parts += (head, path, before_old, meta[old], before_new, meta[new])

    def _begin_commit(self, commit: bytes) -> None:
        if not commit:
            raise MalformedDiff("no commit before its paths")
        self._commit = commit
        self._before_old = self._commit_id + commit + self._old_id

    def _entries(self, run: Run, change: Change) -> Iterator[bytes]:
        """The paths of a rename or a copy, or of a merge that is compared with all parents at once."""
        path, source = _PATH(len(run.paths[0])) + run.paths[0], b""
        if run.source:
            source = _OLD_PATH(len(run.source)) + run.source
        for status, mode, oid in zip(change.statuses, change.old_modes, change.old_oids, strict=True):
            kind = _kind(status, mode, change.new_mode)
            ids = (self._before_old, oid, self._before_new, change.new_oid)
            entry = b"".join((kind, path, source, *ids))
            yield _ENTRY(len(entry)) + entry


class _Kinds(dict[bytes, "_Heads"]):
    """What encoded paths begin with, by the modes and the status of a plain record.

    rest: the encoded size of what follows the path.
    """

    def __init__(self, rest: int) -> None:
        self._rest = rest

    def __missing__(self, key: bytes) -> _Heads:
        change = parse_meta(key[:-1] + b" 0 0 " + key[-1:])
        heads = _Heads(_kind(change.statuses[0], change.old_modes[0], change.new_mode), self._rest)
        self[key] = heads
        return heads


class _Heads(dict[int, bytes]):
    """What an encoded path begins with, up to the path itself, by the path's length."""

    def __init__(self, kind: bytes, rest: int) -> None:
        self._kind = kind
        self._rest = rest

    def __missing__(self, length: int) -> bytes:
        begin = self._kind + _PATH(length)
        head = self[length] = _ENTRY(len(begin) + length + self._rest) + begin
        return head


@lru_cache(maxsize=256)
def _kind(status: int, old_mode: int, new_mode: int) -> bytes:
    """The encoded status and modes."""
    if status not in _STATUSES:
        raise MalformedDiff(f"unknown changed paths status: {chr(status)}")
    return ChangedPaths(status=_STATUSES[status], old_mode=old_mode, new_mode=new_mode).SerializeToString()
