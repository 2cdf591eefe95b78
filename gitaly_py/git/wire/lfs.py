"""Pointers that stand in a repository for objects of Git LFS (ref-blob.md 6.5)."""

from __future__ import annotations

import re
from typing import NamedTuple

_BEGINNING = b"version https://git-lfs.github.com/spec"
_OID = re.compile(rb"^oid sha256:([0-9a-f]{64})$", re.MULTILINE)
_SIZE = re.compile(rb"^size ([0-9]+)$", re.MULTILINE)
_USUAL = re.compile(
    rb"version https://git-lfs\.github\.com/spec[^\n]*\noid sha256:([0-9a-f]{64})\nsize ([0-9]{1,18})\n?"
)
"""What clients write, in one look: nearly every pointer."""

_MAX_SIZE = 2**63 - 1
_MAX_DIGITS = len(str(_MAX_SIZE))


class LfsPointer(NamedTuple):
    """An object kept elsewhere. oid: its SHA-256 in hexadecimal digits; size: its bytes."""

    oid: bytes
    size: int


def parse_pointer(data: bytes) -> LfsPointer | None:
    """The pointer in the content of a blob, or None if that is something else.

    How large a blob may be to count as a pointer is for the caller to decide, before it loads one.
    """
    if not data.startswith(_BEGINNING):
        return None
    usual = _USUAL.fullmatch(data)
    if usual is not None:
        return LfsPointer(usual[1], int(usual[2]))
    oid, size = _OID.search(data), _SIZE.search(data)
    if oid is None or size is None:
        return None
    digits = size[1].lstrip(b"0") or b"0"
    if len(digits) > _MAX_DIGITS or int(digits) > _MAX_SIZE:
        return None
    return LfsPointer(oid[1], int(digits))
