"""Requests to `git cat-file --batch-command` and its replies (daemon.md 6.6)."""

from __future__ import annotations

import enum
from typing import NamedTuple

from gitaly_py.git.wire.errors import MalformedReply
from gitaly_py.git.wire.goquote import quote


class Header(NamedTuple):
    """An object that is there; size: bytes of its content."""

    oid: str
    type: str
    size: int


class Absent(enum.Enum):
    """Why there is no object to read."""

    MISSING = b"missing"
    AMBIGUOUS = b"ambiguous"
    SUBMODULE = b"submodule"


_TYPES = frozenset((b"commit", b"tree", b"blob", b"tag"))
_REASONS = {reason.value: reason for reason in Absent}

FLUSH = b"flush"


def contents(revision: bytes, terminator: bytes = b"\0") -> bytes:
    """Asks for an object's header and content; `revision` must not contain the terminator."""
    return b"contents %b%b" % (revision, terminator)


def info(revision: bytes, terminator: bytes = b"\0") -> bytes:
    """Asks for an object's header."""
    return b"info %b%b" % (revision, terminator)


def parse_header(line: bytes) -> Header | Absent:
    """What the first line of a reply says, given without its end. Raises MalformedReply.

    The name in a reply of absence is the caller's revision and may hold anything, hence only its
    last word counts.
    """
    fields = line.split(b" ")
    if len(fields) == 3 and fields[1] in _TYPES and fields[2].isdigit():
        return Header(fields[0].decode("ascii"), fields[1].decode("ascii"), int(fields[2]))
    reason = _REASONS.get(fields[-1]) if len(fields) > 1 else None
    if reason is None:
        raise MalformedReply(f"invalid info line: {quote(line)}")
    return reason
