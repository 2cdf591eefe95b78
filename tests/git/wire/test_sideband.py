"""Side-band packets."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.git.wire import pktline, sideband
from gitaly_py.git.wire.errors import MalformedPacket
from gitaly_py.git.wire.sideband import KEEP_ALIVE, MAX_DATA, MAX_SMALL_DATA, Band


@settings(max_examples=50)
@given(st.binary(max_size=200), st.integers(1, 50), st.sampled_from(Band))
def test_data_survives_packing_into_packets(data: bytes, size: int, band: Band) -> None:
    pieces = []
    for packet in sideband.encode(band, memoryview(data), max_data=size):
        decoded = pktline.decode(packet)
        assert isinstance(decoded, pktline.Packet)
        assert decoded.end == len(packet)
        got, piece = sideband.decode(decoded.payload)
        assert got is band
        assert 0 < len(piece) <= size
        pieces.append(piece)
    assert b"".join(pieces) == data


def test_packets_are_as_long_as_git_allows() -> None:
    first, second = sideband.encode(Band.DATA, b"x" * (MAX_DATA + 1))
    assert (len(first), second) == (65520, b"0006\x01x")
    assert MAX_SMALL_DATA == 995
    assert sideband.header(Band.PROGRESS, 3) + b"abc" == b"0008\x02abc"


def test_a_keep_alive_carries_nothing() -> None:
    packet = pktline.decode(KEEP_ALIVE)
    assert isinstance(packet, pktline.Packet)
    assert sideband.decode(packet.payload) == (Band.DATA, b"")


@pytest.mark.parametrize("payload", [b"", b"\x00x", b"\x04x"])
def test_unknown_bands_are_refused(payload: bytes) -> None:
    with pytest.raises(MalformedPacket):
        sideband.decode(payload)
