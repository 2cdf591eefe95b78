"""The Huffman code, against RFC 7541 appendix C and the hpack library."""

from __future__ import annotations

import pytest
from hpack.exceptions import HPACKDecodingError
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.huffman_table import decode_huffman
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.rpc.http2.hpack import HpackError
from gitaly_py.rpc.http2.hpack.huffman import CODE_LENGTHS, EOS, decode

encode = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH).encode


def packed(bits: str) -> bytes:
    assert len(bits) % 8 == 0
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def code(symbol: int) -> str:
    return f"{REQUEST_CODES[symbol]:0{CODE_LENGTHS[symbol]}b}"


@pytest.mark.parametrize(
    ("coded", "text"),
    [
        ("f1e3c2e5f23a6ba0ab90f4ff", b"www.example.com"),
        ("a8eb10649cbf", b"no-cache"),
        ("25a849e95ba97d7f", b"custom-key"),
        ("25a849e95bb8e8b4bf", b"custom-value"),
        ("6402", b"302"),
        ("aec3771a4b", b"private"),
        ("d07abe941054d444a8200595040b8166e082a62d1bff", b"Mon, 21 Oct 2013 20:13:21 GMT"),
        ("9d29ad171863c78f0b97c8e9ae82ae43d3", b"https://www.example.com"),
        ("9bd9ab", b"gzip"),
        ("", b""),
    ],
    ids=str,
)
def test_strings_of_the_rfc_are_decoded(coded: str, text: bytes) -> None:
    assert decode(bytes.fromhex(coded)) == text


def test_every_octet_is_decoded_behind_every_other_bit_position() -> None:
    octets = bytes(range(256))
    for shift in range(8):
        text = b"\x00" * shift + octets  # the code of NUL has 13 bits, so each one moves the rest
        assert decode(encode(text)) == text


@given(st.binary(max_size=200))
@settings(max_examples=100)
def test_what_the_library_encodes_is_decoded(text: bytes) -> None:
    assert decode(encode(text)) == text


@given(st.binary(max_size=60))
@settings(max_examples=100)
def test_arbitrary_octets_are_decoded_or_refused_as_the_library_does(coded: bytes) -> None:
    try:
        expected = decode_huffman(coded)
    except HPACKDecodingError:
        with pytest.raises(HpackError):
            decode(coded)
    else:
        assert decode(coded) == expected


@pytest.mark.parametrize("behind", ["", "00001111", "1" * 8], ids=repr)
def test_eos_is_refused_wherever_it_stands(behind: str) -> None:
    bits = code(ord("0")) + code(EOS) + behind
    with pytest.raises(HpackError):
        decode(packed(bits + "1" * (-len(bits) % 8)))


def test_padding_may_have_seven_bits_and_no_more() -> None:
    assert decode(packed(code(ord("A")) + code(ord("0")) + "1" * 5)) == b"A0"
    assert decode(packed("11111000" + "1" * 0)) == b"&"
    assert decode(packed(code(ord("0")) * 5 + "1" * 7)) == b"00000"
    for text in (b"0" * 8, b"&", b""):
        assert decode(encode(text)) == text
        with pytest.raises(HpackError):
            decode(encode(text) + b"\xff")


def test_padding_must_be_all_ones() -> None:
    assert decode(packed(code(ord("0")) + "111")) == b"0"
    for padding in ("110", "101", "011", "000"):
        with pytest.raises(HpackError):
            decode(packed(code(ord("0")) + padding))
