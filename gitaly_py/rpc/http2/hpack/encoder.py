"""Header fields for blocks that are encoded once and sent many times: nothing refers to a dynamic table."""

from __future__ import annotations

from typing import Final

from gitaly_py.rpc.http2.hpack.static_table import STATIC_TABLE

_INDEX_OF_FIELD: Final = {field: index for index, field in reversed(list(enumerate(STATIC_TABLE, 1)))}
_INDEX_OF_NAME: Final = {field[0]: index for index, field in reversed(list(enumerate(STATIC_TABLE, 1)))}

_INDEXED: Final = 0x80
_WITHOUT_INDEXING: Final = 0x00


def encode_field(name: bytes, value: bytes) -> bytes:
    """A field as short as the static table makes it, without a dynamic table: `:status: 200` is one octet."""
    index = _INDEX_OF_FIELD.get((name, value))
    return encode_literal(name, value) if index is None else encode_integer(index, 7, _INDEXED)


def encode_literal(name: bytes, value: bytes) -> bytes:
    """A literal without indexing and without Huffman code (RFC 7541 6.2.2)."""
    index = _INDEX_OF_NAME.get(name)
    if index is None:
        return bytes((_WITHOUT_INDEXING,)) + _string(name) + _string(value)
    return encode_integer(index, 4, _WITHOUT_INDEXING) + _string(value)


def encode_integer(number: int, prefix: int, pattern: int) -> bytes:
    """A number whose first octet has `prefix` bits behind those of `pattern` (RFC 7541 5.1)."""
    largest = (1 << prefix) - 1
    if number < largest:
        return bytes((pattern | number,))
    octets = bytearray((pattern | largest,))
    number -= largest
    while number >= 0x80:
        octets.append(number & 0x7F | 0x80)
        number >>= 7
    octets.append(number)
    return bytes(octets)


def _string(text: bytes) -> bytes:
    return encode_integer(len(text), 7, 0) + text
