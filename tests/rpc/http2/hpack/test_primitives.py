"""Numbers and strings, with the examples of RFC 7541 C.1."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.rpc.http2.hpack import HpackError
from gitaly_py.rpc.http2.hpack.primitives import decode_integer, decode_string, encode_integer, encode_string


@pytest.mark.parametrize(
    ("number", "bits", "coded"), [(10, 0x1F, "0a"), (1337, 0x1F, "1f9a0a"), (42, 0xFF, "2a")], ids=str
)
def test_the_numbers_of_the_rfc(number: int, bits: int, coded: str) -> None:
    assert encode_integer(number, bits, 0) == bytes.fromhex(coded)
    assert decode_integer(bytes.fromhex(coded), 0, bits) == (number, len(coded) // 2)


@given(st.integers(0, 2**35), st.integers(1, 8), st.binary(max_size=3))
@settings(max_examples=100)
def test_a_number_is_read_back_and_what_is_around_it_is_not_touched(
    number: int, prefix: int, around: bytes
) -> None:
    bits = (1 << prefix) - 1
    coded = encode_integer(number, bits, 0xFF & ~bits)
    block = around + coded + around
    assert decode_integer(block, len(around), bits) == (number, len(around) + len(coded))


def test_a_number_has_five_octets_at_most_behind_its_first() -> None:
    assert decode_integer(b"\xff" + b"\xff" * 4 + b"\x7f", 0, 0x7F) == (2**35 - 1 + 127, 6)
    with pytest.raises(HpackError):
        decode_integer(b"\xff" + b"\x80" * 5 + b"\x00", 0, 0x7F)


@pytest.mark.parametrize("size", [0, 1, 126, 127, 128, 300])
def test_a_string_is_read_back_and_a_shorter_one_is_not(size: int) -> None:
    coded = encode_string(b"s" * size)
    assert decode_string(b"." + coded + b".", 1) == (b"s" * size, 1 + len(coded))
    with pytest.raises(IndexError):
        decode_string(coded[:-1], 0)
