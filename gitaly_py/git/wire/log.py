"""Records of a `git log` that prints more than ids (commit.md 2, 3.2).

A commit's message is whatever its author wrote, but git prints it as a C string: after a NUL, which
cannot be part of it, one letter says what follows. So no message can look like the next record.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gitaly_py.git.wire.errors import MalformedRecord
from gitaly_py.git.wire.trailers import parse_trailers

SEPARATOR = b"\0C"
"""What each record begins with."""

_TRAILERS = "%x00T%(trailers:unfold,separator=%x00T)"
_REFERENCES = "%x00R%D"
_END = "%x00E"

_STAT = re.compile(
    rb"^ ([0-9]+) files? changed(?:, ([0-9]+) insertions?\(\+\))?(?:, ([0-9]+) deletions?\(-\))?$",
    re.MULTILINE,
)


class Stat(NamedTuple):
    """How much a commit changes: files, and lines added and deleted."""

    files: int
    additions: int
    deletions: int


class LogRecord(NamedTuple):
    """A commit as printed. references: full names, those of HEAD's branch after HEAD; stat: None without."""

    oid: bytes
    trailers: list[tuple[bytes, bytes]]
    references: list[bytes]
    stat: Stat | None


def record_format(*, trailers: bool, references: bool) -> str:
    """The `--format` whose output `parse_record` takes, with what is wanted."""
    return "%x00C%H" + _TRAILERS * trailers + _REFERENCES * references + _END


def parse_record(record: bytes) -> LogRecord:
    """A record without its SEPARATOR; a `--shortstat` may follow the format. Raises MalformedRecord."""
    oid, *pieces = record.split(b"\0")
    if not pieces or not pieces[-1].startswith(b"E"):
        raise MalformedRecord("unterminated record of git log")
    trailers = [piece[1:] for piece in pieces if piece.startswith(b"T")]
    references = [piece[1:] for piece in pieces if piece.startswith(b"R")]
    return LogRecord(
        oid,
        parse_trailers(b"\0".join(trailers)),
        parse_decoration(references[0]) if references else [],
        parse_shortstat(pieces[-1]),
    )


def parse_decoration(text: bytes) -> list[bytes]:
    """The references in `%D`, in order. `HEAD -> refs/heads/x` is two of them."""
    names: list[bytes] = []
    for each in text.split(b", ") if text else ():
        names += each.removeprefix(b"tag: ").split(b" -> ")
    return names


def parse_shortstat(text: bytes) -> Stat | None:
    """The numbers of a `--shortstat`, None where git printed none: no change, or a merge."""
    found = _STAT.search(text)
    return Stat(*(int(number or 0) for number in found.groups())) if found else None
