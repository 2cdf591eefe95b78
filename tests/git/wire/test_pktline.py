"""pkt-line coding, against itself and against git's limits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.git.wire.errors import MalformedPacket
from gitaly_py.git.wire.pktline import (
    DELIMITER,
    FLUSH,
    MAX_PAYLOAD,
    RESPONSE_END,
    Decoder,
    Incomplete,
    Kind,
    Packet,
    decode,
    encode,
)

SPECIAL = {FLUSH: Kind.FLUSH, DELIMITER: Kind.DELIMITER, RESPONSE_END: Kind.RESPONSE_END}
packets = st.lists(st.binary(max_size=40) | st.sampled_from(list(Kind)[1:]))


def encoded(packet: bytes | Kind) -> bytes:
    if isinstance(packet, bytes):
        return encode(packet)
    return next(code for code, kind in SPECIAL.items() if kind is packet)


@settings(max_examples=100)
@given(packets, st.lists(st.integers(0, 400)))
def test_packets_are_the_same_however_the_stream_is_cut(
    expected: list[bytes | Kind], cuts: list[int]
) -> None:
    stream = b"".join(map(encoded, expected))
    decoder, seen, begin = Decoder(), [], 0
    for cut in [*sorted(cuts), len(stream)]:
        seen += [
            packet.payload if packet.kind is Kind.DATA else packet.kind
            for packet in decoder.receive(stream[begin:cut])
        ]
        begin = max(begin, cut)
    assert seen == expected
    assert not decoder.pending


@pytest.mark.parametrize(("data", "needed"), [(b"", 4), (b"00", 2), (b"0005", 1), (b"0010abc", 9)], ids=str)
def test_a_packet_that_is_not_all_there_says_what_is_missing(data: bytes, needed: int) -> None:
    assert decode(data) == Incomplete(needed)
    assert decode(b"xx" + data, 2) == Incomplete(needed)


@pytest.mark.parametrize(
    "data", [b"0003", b"fff1", b"ffff", b"xxxx", b"-001", b" 012", b"+0ff", b"0x12"], ids=str
)
def test_impossible_lengths_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedPacket):
        decode(data)


def test_the_longest_packet_is_gits() -> None:
    longest = encode(b"x" * MAX_PAYLOAD)
    assert longest.startswith(b"fff0")
    assert decode(memoryview(longest)) == Packet(Kind.DATA, b"x" * MAX_PAYLOAD, 65520)
    with pytest.raises(MalformedPacket):
        encode(b"x" * (MAX_PAYLOAD + 1))


def test_a_packet_may_be_empty_and_its_length_in_capitals() -> None:
    assert decode(b"0004") == Packet(Kind.DATA, b"", 4)
    assert decode(b"000Aabcdefrest") == Packet(Kind.DATA, b"abcdef", 10)


def test_a_decoder_knows_of_a_packet_that_stopped_in_the_middle() -> None:
    decoder = Decoder()
    assert list(decoder.receive(b"0006a")) == []
    assert decoder.pending
