"""git's index file, version 2: enough of it for commands that look files up there."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from typing import NamedTuple

from gitaly_py.git.wire.objects import ObjectFormat

_HEADER = struct.Struct(">4sII")
_STATS = struct.Struct(">24xI12x")
"""Times, device, inode, mode, owner and size; all but the mode tell about a worktree, and there is none."""
_FLAGS = struct.Struct(">H")
_LONGEST = 0xFFF


class IndexEntry(NamedTuple):
    """A file in the index. path: complete, without a slash at either end."""

    path: bytes
    mode: int
    oid: str


def encode_index(entries: Iterable[IndexEntry], object_format: ObjectFormat) -> bytes:
    """The bytes of an index with these entries, whose paths all differ."""
    ordered = sorted(entries)
    parts = [_HEADER.pack(b"DIRC", 2, len(ordered)), *(_encoded(entry) for entry in ordered)]
    content = b"".join(parts)
    return content + hashlib.new(object_format.name, content, usedforsecurity=False).digest()


def _encoded(entry: IndexEntry) -> bytes:
    flags = _FLAGS.pack(min(len(entry.path), _LONGEST))
    encoded = _STATS.pack(entry.mode) + bytes.fromhex(entry.oid) + flags + entry.path
    # At least one NUL, up to the next multiple of eight.
    return encoded + bytes(8 - len(encoded) % 8)
