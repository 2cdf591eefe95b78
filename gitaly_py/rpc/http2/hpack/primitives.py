"""Numbers and strings of header blocks (RFC 7541 5). What is beyond a block's end raises IndexError."""

from __future__ import annotations

from typing import Final

from gitaly_py.rpc.http2.hpack.errors import HpackError
from gitaly_py.rpc.http2.hpack.huffman import decode as huffman_decode

_MAX_SHIFT: Final = 28  # five octets, or 2 ** 35: no index, length or size is nearly as large


def decode_integer(block: bytes, position: int, bits: int) -> tuple[int, int]:
    """The number that begins in the octet at `position`, and where it ends.

    bits: the mask of those bits of the first octet that are the number's.
    Raises HpackError for a number that is larger than anything can be.
    """
    number = block[position] & bits
    position += 1
    if number < bits:
        return number, position
    for shift in range(0, _MAX_SHIFT + 1, 7):
        octet = block[position]
        position += 1
        number += (octet & 0x7F) << shift
        if octet < 0x80:
            return number, position
    raise HpackError("number too large")


def decode_string(block: bytes, position: int) -> tuple[bytes, int]:
    """The string at `position`, and where it ends. Raises HpackError."""
    octet = block[position]
    length = octet & 0x7F
    position += 1
    if length == 0x7F:
        length, position = decode_integer(block, position - 1, 0x7F)
    end = position + length
    text = block[position:end]
    if len(text) != length:
        raise IndexError
    return (huffman_decode(text) if octet >= 0x80 else text), end


def encode_integer(number: int, bits: int, pattern: int) -> bytes:
    """A number whose first octet begins with `pattern`, in front of the bits of the mask `bits`."""
    if number < bits:
        return bytes((pattern | number,))
    octets = bytearray((pattern | bits,))
    number -= bits
    while number >= 0x80:
        octets.append(number & 0x7F | 0x80)
        number >>= 7
    octets.append(number)
    return bytes(octets)


def encode_string(text: bytes) -> bytes:
    """A string without Huffman code."""
    return encode_integer(len(text), 0x7F, 0x00) + text
