"""What `git diff --raw -z` and `git diff-tree -z --stdin` print, with full ids (diff-conflicts.md 6.3).

A record is a field of modes, ids and status, followed by one path, or by two for a rename or copy. The
output is cut at NUL first, since that is what costs least; fields may come in batches of any size.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from gitaly_py.git.wire.errors import MalformedDiff
from gitaly_py.git.wire.goquote import quote
from gitaly_py.git.wire.objects import ObjectFormat

_META = re.compile(rb"(:+)((?:[0-7]{6} )+)((?:[0-9a-f]+ )+)([A-Z]+)[0-9]*")
_ID = re.compile(rb"[0-9a-f]+")
_TREES = re.compile(rb"(?:[0-9a-f]+ [0-9a-f]+\n)+")

MODES = slice(0, 14)
"""Where a plain record has its colon and both modes."""

_FIRST_WINDOW, _LAST_WINDOW = 16, 2048
"""Fields looked at in a row, the more the longer all are alike: even numbers."""


class Change(NamedTuple):
    """A record's meta, parsed: against one parent, or against several of a merge.

    old_modes, old_oids, statuses: one of each parent, in their order; statuses without scores.
    """

    old_modes: tuple[int, ...]
    new_mode: int
    old_oids: tuple[bytes, ...]
    new_oid: bytes
    statuses: bytes


class Run(NamedTuple):
    """Records in a row, as columns.

    metas: modes, ids and status of each; paths: the (new) path of each. change: None when these are plain
    records, with one parent and one path, in which everything has its place. Else it is one record, whose
    old path is `source` where it is a rename or copy.
    """

    metas: list[bytes]
    paths: list[bytes]
    change: Change | None = None
    source: bytes = b""


def parse_meta(meta: bytes) -> Change:
    """What a record says beside its paths. Raises MalformedDiff."""
    found = _META.fullmatch(meta)
    if found is None:
        raise MalformedDiff(f"invalid diff record: {quote(meta)}")
    modes = [int(mode, 8) for mode in found[2].split()]
    oids = found[3].split()
    if not len(found[1]) == len(modes) - 1 == len(oids) - 1 == len(found[4]):
        raise MalformedDiff(f"invalid diff record: {quote(meta)}")
    return Change(tuple(modes[:-1]), modes[-1], tuple(oids[:-1]), oids[-1], found[4])


class RawDiff:
    """Puts records together from fields that come in batches.

    commit: the commit that the run given last belongs to; empty while git named none.
    """

    def __init__(self, object_format: ObjectFormat) -> None:
        digits = object_format.hex_length
        self._plain = len(":100644 100644   M") + 2 * digits
        self._digits = digits
        self._rest: list[bytes] = []
        self.commit = b""

    def feed(self, fields: list[bytes]) -> Iterator[Run]:
        """The records that end within these fields. Raises MalformedDiff."""
        fields = self._rest + fields if self._rest else fields
        self._rest = []
        at, window = 0, _FIRST_WINDOW
        while at < len(fields):
            metas = self._plain_metas(fields[at : at + window : 2])
            paths = fields[at + 1 : at + 2 * len(metas) : 2]
            if paths:
                yield Run(metas[: len(paths)], paths)
                at += 2 * len(paths)
            if len(paths) < len(metas):
                break
            if 2 * len(metas) == window:
                window = min(2 * window, _LAST_WINDOW)
            elif at < len(fields):
                window = _FIRST_WINDOW
                run, size = self._particular(fields[at : at + 3])
                if not size:
                    break
                if run is not None:
                    yield run
                at += size
        self._rest = fields[at:]

    def end(self) -> None:
        """There are no more fields. Raises MalformedDiff when a record is incomplete."""
        if self._rest:
            raise MalformedDiff(f"diff ends within a record: {quote(self._rest[0])}")

    def _plain_metas(self, candidates: list[bytes]) -> list[bytes]:
        """The first of these fields, as far as they begin plain records."""
        plain = self._plain
        if set(map(len, candidates)) == {plain} and candidates[0][:1] == candidates[-1][:1] == b":":
            return candidates
        for number, field in enumerate(candidates):
            if len(field) != plain or field[:1] != b":":
                return candidates[:number]
        return candidates

    def _particular(self, fields: list[bytes]) -> tuple[Run | None, int]:
        """A record that is not plain, or a header, and the fields it takes: none if it is incomplete."""
        meta = self._without_header(fields[0])
        if not meta:
            return None, 1
        change = parse_meta(meta)
        has_source = len(change.statuses) == 1 and change.statuses in b"RC"
        size = 3 if has_source else 2
        if len(fields) < size:
            return None, 0
        return Run([meta], [fields[size - 1]], change, fields[1] if has_source else b""), size

    def _without_header(self, field: bytes) -> bytes:
        """The meta in `field`, empty if that only says which commit or which trees follow."""
        if not field:
            raise MalformedDiff("empty diff record")
        if len(field) == self._digits and _ID.fullmatch(field):
            self.commit = field
            return b""
        header = _TREES.match(field)
        return field[header.end() :] if header else field
