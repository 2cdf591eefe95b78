"""OpenPGP packets (RFC 9580), as far as keys and detached signatures of version 4 need them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

SIGNATURE = 2
SECRET_KEY = 5
PUBLIC_KEY = 6
SECRET_SUBKEY = 7
PUBLIC_SUBKEY = 14


class Truncated(ValueError):
    """Fewer bytes than were announced, or none where a packet should begin."""


class Packet(NamedTuple):
    """A packet. tag: its kind; body: without the header."""

    tag: int
    body: bytes


class Fields:
    """Fields of a packet's body, one after the other. Reading beyond the end raises Truncated."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        """The next bytes."""
        taken = self.data[self.at : self.at + size]
        if len(taken) != size:
            raise Truncated("truncated OpenPGP data")
        self.at += size
        return taken

    def number(self, size: int) -> int:
        """A number of `size` bytes."""
        return int.from_bytes(self.take(size))

    def integer(self) -> int:
        """A multiprecision integer."""
        return int.from_bytes(self.integer_bytes())

    def integer_bytes(self) -> bytes:
        """The same as bytes, without zeros in front."""
        return self.take((self.number(2) + 7) // 8)

    @property
    def rest(self) -> bytes:
        """What is not read yet."""
        return self.data[self.at :]


def packets(data: bytes) -> Iterator[Packet]:
    """The packets of a binary file. Raises Truncated."""
    fields = Fields(data)
    while fields.rest:
        header = fields.number(1)
        if not header & 0x80:
            raise Truncated("no OpenPGP data")
        if header & 0x40:
            yield Packet(header & 0x3F, _new_body(fields))
        else:
            kind = header & 0x03
            size = len(fields.rest) if kind == 3 else fields.number(1 << kind)
            yield Packet(header >> 2 & 0x0F, fields.take(size))


def _new_body(fields: Fields) -> bytes:
    first = fields.number(1)
    parts: list[bytes] = []
    while 224 <= first < 255:
        parts.append(fields.take(1 << (first & 0x1F)))
        first = fields.number(1)
    parts.append(fields.take(_length(first, fields)))
    return b"".join(parts)


def _length(first: int, fields: Fields) -> int:
    if first < 192:
        return first
    return fields.number(4) if first == 255 else ((first - 192) << 8) + fields.number(1) + 192


def subpackets(data: bytes) -> Iterator[Packet]:
    """The subpackets of a signature. Raises Truncated."""
    fields = Fields(data)
    while fields.rest:
        body = fields.take(_length(fields.number(1), fields))
        if not body:
            raise Truncated("empty OpenPGP subpacket")
        yield Packet(body[0] & 0x7F, body[1:])
