"""Header fields for blocks that are encoded once and sent many times: nothing refers to a dynamic table."""

from __future__ import annotations

from typing import Final

from gitaly_py.rpc.http2.hpack.primitives import encode_integer, encode_string
from gitaly_py.rpc.http2.hpack.static_table import STATIC_TABLE

_INDEX_OF_FIELD: Final = {field: index for index, field in enumerate(STATIC_TABLE, 1)}
_INDEX_OF_NAME: Final = {name: index for index, (name, _) in reversed([*enumerate(STATIC_TABLE, 1)])}


def encode_field(name: bytes, value: bytes) -> bytes:
    """A field as short as the static table makes it: `:status: 200` is one octet."""
    index = _INDEX_OF_FIELD.get((name, value))
    return encode_literal(name, value) if index is None else encode_integer(index, 0x7F, 0x80)


def encode_literal(name: bytes, value: bytes) -> bytes:
    """A literal without indexing and without Huffman code (RFC 7541 6.2.2)."""
    index = _INDEX_OF_NAME.get(name)
    if index is None:
        return b"\x00" + encode_string(name) + encode_string(value)
    return encode_integer(index, 0x0F, 0x00) + encode_string(value)
