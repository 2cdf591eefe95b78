"""The tar format as GNU tar writes it (tar(5)): headers made of what they say. No I/O."""

from __future__ import annotations

import enum
import struct

BLOCK = 512
END = bytes(2 * BLOCK)
"""What an archive ends with."""

_LAYOUT = struct.Struct("100s8s8s8s12s12s8s1s100s8s32s32s8s8s155s12x")
_MAGIC = b"ustar  \0"
_NAME_SIZE = 100
_LONG_NAME = b"L"
_LONG_TARGET = b"K"
_OWNER = b"0000000\0"


class Kind(enum.Enum):
    """What an entry is, by its type flag."""

    FILE = b"0"
    LINK = b"2"
    FOLDER = b"5"


def header(
    name: bytes, kind: Kind, *, mode: int, size: int = 0, mtime: int = 0, target: bytes = b""
) -> bytes:
    """The blocks before an entry's content, owned by user and group 0.

    name: of a folder with a slash at its end. mode: permission bits. size: bytes of content that follow,
    up to the end of a block (see `padding`). mtime: Unix seconds. target: where a link leads.
    """
    long_fields = _long(_LONG_NAME, name) + _long(_LONG_TARGET, target)
    return long_fields + _block(name, kind.value, mode, size, mtime, target)


def padding(size: int) -> bytes:
    """What fills the last block of `size` bytes of content."""
    return bytes(-size % BLOCK)


def _long(flag: bytes, value: bytes) -> bytes:
    """An entry that holds a value which has no room in the header of the next one."""
    if len(value) <= _NAME_SIZE:
        return b""
    content = value + b"\0"
    return _block(b"././@LongLink", flag, 0, len(content), 0, b"") + content + padding(len(content))


def _block(name: bytes, flag: bytes, mode: int, size: int, mtime: int, target: bytes) -> bytes:
    unsummed = _LAYOUT.pack(
        name[:_NAME_SIZE],
        _number(mode, 8),
        _OWNER,
        _OWNER,
        _number(size, 12),
        _number(mtime, 12),
        b" " * 8,
        flag,
        target[:_NAME_SIZE],
        _MAGIC,
        b"",
        b"",
        b"",
        b"",
        b"",
    )
    return b"%b%06o\0 %b" % (unsummed[:148], sum(unsummed), unsummed[156:])


def _number(value: int, width: int) -> bytes:
    """Octal digits and a NUL; what is too large or negative in base 256 with the first bit set."""
    if 0 <= value < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, value)
    marked: int = value % 256**width | 1 << (8 * width - 1)
    return marked.to_bytes(width, "big")
