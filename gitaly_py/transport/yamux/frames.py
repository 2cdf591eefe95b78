"""The yamux frame header (transport.md 1.3)."""

from __future__ import annotations

import enum
import struct
from typing import Final, NamedTuple

VERSION: Final = 0
INITIAL_WINDOW: Final = 262144  # credit of a new stream in each direction, whatever the windows are (1.5)

# Plain numbers, not an enum.IntFlag, whose `&` is some twenty times dearer than a frame can afford.
SYN: Final = 1
ACK: Final = 2
FIN: Final = 4
RST: Final = 8

_FORMAT: Final = struct.Struct(">BBHII")
HEADER_SIZE: Final = _FORMAT.size


class FrameType(enum.IntEnum):
    """What a frame is; it decides what its length means."""

    DATA = 0
    WINDOW_UPDATE = 1
    PING = 2
    GO_AWAY = 3


class GoAwayCode(enum.IntEnum):
    """Why a side stops (the length of a GoAway)."""

    NORMAL = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2


class Header(NamedTuple):
    """A header as it came: nothing is checked, and type and flags are plain numbers."""

    version: int
    type: int
    flags: int
    stream: int
    length: int


def encoded(frame_type: int, flags: int, stream: int, length: int) -> bytes:
    """The twelve bytes of a header."""
    return _FORMAT.pack(VERSION, frame_type, flags, stream, length)


def decoded(data: bytes | bytearray | memoryview, offset: int = 0) -> Header:
    """The header at `offset`; the caller has made sure that twelve bytes are there."""
    return tuple.__new__(Header, _FORMAT.unpack_from(data, offset))  # as `_make`, in one call
