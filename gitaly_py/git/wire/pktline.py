"""pkt-line: a length in four hexadecimal digits, itself included, then the payload (gitprotocol-common)."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from typing import NamedTuple

from gitaly_py.git.wire.errors import MalformedPacket

HEADER_LENGTH = 4
MAX_PACKET = 65520
"""Longest packet, header included (LARGE_PACKET_MAX of git)."""
MAX_PAYLOAD = MAX_PACKET - HEADER_LENGTH

_HEX = re.compile(rb"[0-9a-fA-F]{4}")

FLUSH = b"0000"
DELIMITER = b"0001"
RESPONSE_END = b"0002"


class Kind(enum.Enum):
    """What a packet is: data, or one of the special packets without a payload."""

    DATA = "data"
    FLUSH = "flush"
    DELIMITER = "delimiter"
    RESPONSE_END = "response end"


_SPECIAL = {0: Kind.FLUSH, 1: Kind.DELIMITER, 2: Kind.RESPONSE_END}


class Packet(NamedTuple):
    """A packet; end: the offset behind it."""

    kind: Kind
    payload: bytes
    end: int


class Incomplete(NamedTuple):
    """The packet is not all there; needed: bytes that are missing at least."""

    needed: int


def encode(payload: bytes) -> bytes:
    """A data packet. Raises MalformedPacket when `payload` is longer than MAX_PAYLOAD."""
    if len(payload) > MAX_PAYLOAD:
        raise MalformedPacket(f"packet of {len(payload)} bytes is too long")
    return b"%04x%b" % (len(payload) + HEADER_LENGTH, payload)


def decode(data: bytes | bytearray | memoryview, offset: int = 0) -> Packet | Incomplete:
    """The packet that begins at `offset`. Raises MalformedPacket for an impossible length."""
    header = bytes(data[offset : offset + HEADER_LENGTH])
    if len(header) < HEADER_LENGTH:
        return Incomplete(HEADER_LENGTH - len(header))
    length = _length(header)
    if length in _SPECIAL:
        return Packet(_SPECIAL[length], b"", offset + HEADER_LENGTH)
    end = offset + length
    if end > len(data):
        return Incomplete(end - len(data))
    return Packet(Kind.DATA, bytes(data[offset + HEADER_LENGTH : end]), end)


class Decoder:
    """Packets of a stream that arrives in pieces of any size."""

    def __init__(self) -> None:
        self._rest = b""

    @property
    def pending(self) -> bool:
        """Whether the stream has stopped in the middle of a packet."""
        return bool(self._rest)

    def receive(self, data: bytes) -> Iterator[Packet]:
        """The packets that `data` completes; exhaust it before the next call. Raises MalformedPacket."""
        buffer = self._rest + data if self._rest else data
        self._rest = b""
        offset = 0
        while offset < len(buffer):
            packet = decode(buffer, offset)
            if isinstance(packet, Incomplete):
                self._rest = buffer[offset:]
                return
            offset = packet.end
            yield packet


def _length(header: bytes) -> int:
    # int() would also take signs, blanks and underscores.
    if not _HEX.fullmatch(header):
        raise MalformedPacket(f"bad packet length {header!r}")
    length = int(header, 16)
    if length == HEADER_LENGTH - 1 or length > MAX_PACKET:
        raise MalformedPacket(f"bad packet length {header!r}")
    return length
