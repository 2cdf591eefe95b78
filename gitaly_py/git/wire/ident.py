"""Identities as commits and tags store them: `Name <mail> seconds zone` (commit.md 2)."""

from __future__ import annotations

import re
from typing import NamedTuple

IMPOSSIBLE_DATE = 9223371974719179007
"""Stands for a date that is no number or out of range; clients know this value."""

_MAX_DATE_DIGITS = len(str(2**53))
_DECIMAL = re.compile(rb"[+-]?[0-9]+")


class Ident(NamedTuple):
    """Who and when, bytes as stored; None for what is missing. seconds: since the epoch."""

    name: bytes
    email: bytes | None = None
    seconds: int | None = None
    timezone: bytes | None = None


def parse_ident(value: bytes) -> Ident:
    """The identity in a header's value. Never fails: what cannot be read is missing."""
    name, found, rest = value.partition(b"<")
    name = name.removesuffix(b" ")
    if not found:
        return Ident(name)
    email, found, rest = rest.partition(b">")
    if not found:
        return Ident(name)
    fields = rest.split()
    if not fields:
        return Ident(name, email)
    return Ident(name, email, _seconds(fields[0]), fields[1] if len(fields) == 2 else None)


def _seconds(field: bytes) -> int:
    # Zeros in front are dropped and the length looked at first, since int() refuses thousands of digits.
    digits = field.lstrip(b"+-").lstrip(b"0") or b"0"
    if not _DECIMAL.fullmatch(field) or len(digits) > _MAX_DATE_DIGITS:
        return IMPOSSIBLE_DATE
    seconds = -int(digits) if field.startswith(b"-") else int(digits)
    return seconds if 0 <= seconds <= 2**53 else IMPOSSIBLE_DATE
