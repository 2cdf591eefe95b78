"""Encoded fields, read back by the hpack library."""

from __future__ import annotations

import hpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.rpc.http2.hpack import encode_field, encode_literal
from gitaly_py.rpc.http2.hpack.static_table import STATIC_TABLE

names = st.sampled_from([name for name, _ in STATIC_TABLE]) | st.binary(min_size=1, max_size=300)


def read(block: bytes) -> list[tuple[bytes, bytes]]:
    decoder = hpack.Decoder()
    fields = [(bytes(name), bytes(value)) for name, value in decoder.decode(block, raw=True)]
    assert not decoder.header_table.dynamic_entries
    return fields


@pytest.mark.parametrize(
    ("field", "block"),
    [
        ((b":status", b"200"), "88"),
        ((b":path", b"/index.html"), "85"),
        ((b":status", b"201"), "08 03 323031"),
        ((b"content-type", b"a"), "0f10 01 61"),
        ((b"grpc-status", b"0"), "00 0b 677270632d737461747573 01 30"),
    ],
    ids=str,
)
def test_a_field_is_as_short_as_the_static_table_makes_it(field: tuple[bytes, bytes], block: str) -> None:
    assert encode_field(*field) == bytes.fromhex(block)


def test_a_literal_is_never_a_bare_index() -> None:
    assert encode_literal(b":status", b"200") == b"\x08\x03200"


def test_the_static_table_is_the_one_of_the_library() -> None:
    assert hpack.hpack.HeaderTable.STATIC_TABLE == STATIC_TABLE


@given(st.lists(st.tuples(names, st.binary(max_size=300))))
@settings(max_examples=100)
def test_the_library_reads_what_was_encoded_and_indexes_nothing(fields: list[tuple[bytes, bytes]]) -> None:
    assert read(b"".join(encode_field(*field) for field in fields)) == fields
    assert read(b"".join(encode_literal(*field) for field in fields)) == fields


@pytest.mark.parametrize("size", [126, 127, 128, 254, 255, 16510, 16511, 100_000])
def test_lengths_of_several_octets_are_read_back(size: int) -> None:
    decoder = hpack.Decoder(max_header_list_size=1 << 20)
    block = encode_literal(b"name", b"v" * size)
    assert list(decoder.decode(block, raw=True)) == [(b"name", b"v" * size)]
