"""What the daemon and its detecting child say to each other: lists of byte strings, each list in a frame.

A frame is its length, then for each byte string its length and itself; lengths are 32 bits,
the highest byte first.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

_LENGTH = struct.Struct(">I")

HEADER = _LENGTH.size
"""Bytes of a length."""


def frame(fields: Iterable[bytes]) -> bytes:
    """The frame of a list."""
    content = b"".join(_LENGTH.pack(len(field)) + field for field in fields)
    return _LENGTH.pack(len(content)) + content


def length(header: bytes) -> int:
    """The length of what follows the beginning of a frame."""
    (value,) = _LENGTH.unpack(header)
    return int(value)


def fields(content: bytes) -> list[bytes]:
    """The list whose frame has this content, after its length. Raises struct.error for what is cut off."""
    found = []
    offset = 0
    while offset < len(content):
        (size,) = _LENGTH.unpack_from(content, offset)
        start = offset + HEADER
        offset = start + size
        found.append(content[start:offset])
    return found
