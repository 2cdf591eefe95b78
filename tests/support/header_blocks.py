"""Representations of header fields (RFC 7541 6), one by one."""

from __future__ import annotations

from collections.abc import Sequence

from hpack.hpack import encode_integer

from gitaly_py.rpc.http2.hpack import Field

Headers = list[tuple[bytes, bytes]]


def octets(fields: Sequence[Field]) -> Headers:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]


def number(value: int, bits: int, pattern: int) -> bytes:
    first, *rest = encode_integer(value, bits)
    return bytes((first | pattern, *rest))


def indexed(index: int) -> bytes:
    return number(index, 7, 0x80)


def string(text: bytes, huffman: bool = False) -> bytes:
    return number(len(text), 7, 0x80 if huffman else 0) + text


def incremental(name: bytes, value: bytes) -> bytes:
    return b"\x40" + string(name) + string(value)


def update(size: int) -> bytes:
    return number(size, 5, 0x20)


def plain(name: bytes, value: bytes) -> bytes:
    return b"\x00" + string(name) + string(value)
