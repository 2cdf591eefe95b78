"""Side-band: packets whose first byte says which stream the rest belongs to (gitprotocol-pack)."""

from __future__ import annotations

import enum
from collections.abc import Iterator

from gitaly_py.git.wire.errors import MalformedPacket
from gitaly_py.git.wire.pktline import HEADER_LENGTH, MAX_PACKET

MAX_DATA = MAX_PACKET - HEADER_LENGTH - 1
"""Bytes of data in one packet of side-band-64k."""
MAX_SMALL_DATA = 1000 - HEADER_LENGTH - 1
"""Bytes of data in one packet of the old side-band."""


class Band(enum.IntEnum):
    """DATA is the pack, PROGRESS is shown to the user, ERROR ends the conversation."""

    DATA = 1
    PROGRESS = 2
    ERROR = 3


KEEP_ALIVE = b"0005\x01"
"""A packet of no data, which clients skip."""


def header(band: Band, length: int) -> bytes:
    """What stands before `length` bytes of data, for a caller who moves the data without copying it."""
    return b"%04x%c" % (length + HEADER_LENGTH + 1, band)


def encode(band: Band, data: bytes | memoryview, *, max_data: int = MAX_DATA) -> Iterator[bytes]:
    """Packets that carry `data`, at most `max_data` bytes each."""
    for offset in range(0, len(data), max_data):
        piece = data[offset : offset + max_data]
        yield header(band, len(piece)) + piece


def decode(payload: bytes) -> tuple[Band, bytes]:
    """Band and data of a packet's payload. Raises MalformedPacket for no band or an unknown one."""
    if not payload:
        raise MalformedPacket("missing side-band designator")
    try:
        return Band(payload[0]), payload[1:]
    except ValueError:
        raise MalformedPacket(f"bad side-band {payload[0]}") from None
