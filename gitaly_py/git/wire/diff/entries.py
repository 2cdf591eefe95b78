"""Raw lines of a diff: which files changed, and what each was and is (diff-conflicts.md 1.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from gitaly_py.git.wire.errors import MalformedDiff
from gitaly_py.git.wire.quoting import quote, unquote

_RAW = re.compile(
    rb"^:([0-7]{6}) ([0-7]{6}) ([0-9a-f]+) ([0-9a-f]+) ([ADTUXMRC])[0-9]*\t([^\t\n]+)(?:\t([^\t\n]+))?$",
    re.MULTILINE,
)
_PAIRED = (b"R", b"C")

RawFields = tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes]
"""Both modes, both ids, status, path and second path of a raw line, as they stand there."""


class Entry(NamedTuple):
    """One changed file.

    from_id, to_id: zeros for a side that is absent, whose mode is 0. header: the first line of its patch.
    """

    from_path: bytes
    to_path: bytes
    from_id: str
    to_id: str
    old_mode: int
    new_mode: int
    status: bytes
    header: bytes

    @property
    def same_mode(self) -> bool:
        """Whether the content alone was modified."""
        return self.status == b"M" and self.old_mode == self.new_mode


NOTHING = Entry(b"", b"", "", "", 0, 0, b"", b"")
"""Stands for what is not told of a file."""


def split_raw(lines: bytes) -> list[RawFields]:
    """The fields of whole raw lines; the last one may lack its line end. Raises MalformedDiff."""
    found: list[RawFields] = _RAW.findall(lines)
    if len(found) != lines.count(b"\n") + (not lines.endswith(b"\n") and lines != b""):
        raise MalformedDiff("raw line regexp mismatch")
    wrong = [fields[4] for fields in found if (fields[6] != b"") != (fields[4] in _PAIRED)]
    if wrong:
        raise MalformedDiff(f"raw line with a wrong number of paths for status {wrong[0].decode()}")
    return found


def parse_entries(lines: bytes) -> Iterator[Entry]:
    """The changed files of raw lines, see `split_raw`; two for a type change: removal and addition."""
    for old_mode, new_mode, old, new, status, source, target in split_raw(lines):
        path = target or source
        entry = Entry(
            unquote(source),
            unquote(path),
            old.decode(),
            new.decode(),
            int(old_mode, 8),
            int(new_mode, 8),
            status,
            b"diff --git %s %s" % (_prefixed(b"a/", source), _prefixed(b"b/", path)),
        )
        if status == b"T":
            yield from halves(entry)
        else:
            yield entry


def halves(entry: Entry) -> tuple[Entry, Entry]:
    """A type change as its removal and its addition, each with a patch of its own."""
    zeros = "0" * len(entry.from_id)
    return entry._replace(new_mode=0, to_id=zeros), entry._replace(old_mode=0, from_id=zeros)


def header_of(path: bytes) -> bytes:
    """The first line of the patch of a file that was not renamed."""
    return b"diff --git %s %s" % (quote(b"a/" + path), quote(b"b/" + path))


def _prefixed(prefix: bytes, quoted: bytes) -> bytes:
    return b'"' + prefix + quoted[1:] if quoted.startswith(b'"') else prefix + quoted
