"""Statistics of fetch requests (transport.md 2.4)."""

from __future__ import annotations

import pytest

from gitaly_py.git.wire.errors import MalformedNegotiation, MalformedPacket
from gitaly_py.git.wire.negotiation import Negotiation, NegotiationParser
from gitaly_py.git.wire.pktline import DELIMITER, FLUSH, encode

OID = b"1" * 40


def request(*lines: bytes) -> bytes:
    return b"".join(line if line in (FLUSH, DELIMITER) else encode(line) for line in lines)


def counted(data: bytes) -> Negotiation:
    parser = NegotiationParser()
    for byte in range(len(data)):
        parser.receive(data[byte : byte + 1])
    parser.end()
    return parser.counted


def test_a_clone_of_the_first_protocol() -> None:
    statistics = counted(request(b"want " + OID + b" ofs-delta agent=git/2\n", FLUSH, b"done\n"))
    assert statistics == Negotiation(
        payload_size=67, packets=2, wants=1, capabilities=[b"ofs-delta", b"agent=git/2"]
    )


def test_a_fetch_of_the_second_protocol() -> None:
    lines = [
        b"command=fetch",
        b"agent=git/2",
        b"object-format=sha1",
        DELIMITER,
        b"want " + OID + b"\n",
        b"done\n",
    ]
    statistics = counted(request(*lines))
    assert (statistics.packets, statistics.wants) == (5, 1)
    assert (statistics.command, statistics.user_agent) == (b"fetch", b"git/2")


def test_everything_that_is_counted() -> None:
    lines = [b"want " + OID, b"want " + OID, b"shallow " + OID, b"have " + OID, b"have " + OID, b"deepen 1"]
    statistics = counted(request(*lines, b"deepen-since 5\n", b"filter blob:none\n", b"unknown a b", FLUSH))
    assert (statistics.wants, statistics.haves, statistics.shallows) == (2, 2, 1)
    assert (statistics.deepen, statistics.filter) == (b"deepen-since 5", b"blob:none")
    assert statistics.packets == 10


def test_nothing_behind_done_is_looked_at() -> None:
    parser = NegotiationParser()
    parser.receive(request(b"done\n") + b"zzzz")
    parser.receive(b"zzzz")
    parser.end()
    assert parser.counted == Negotiation()


@pytest.mark.parametrize(
    "line",
    [
        b"want",
        b"have " + OID + b" x",
        b"have",
        b"shallow",
        b"deepen",
        b"deepen 1 2",
        b"filter",
        b"filter a b",
    ],
)
def test_a_broken_line_ends_the_count(line: bytes) -> None:
    parser = NegotiationParser()
    with pytest.raises(MalformedNegotiation):
        parser.receive(request(b"have " + OID, line, b"have " + OID))
    assert parser.counted.haves == 1


def test_capabilities_come_once() -> None:
    with pytest.raises(MalformedNegotiation):
        counted(request(b"want " + OID + b" a", b"want " + OID + b" b"))


def test_bytes_that_are_no_packets_are_refused() -> None:
    with pytest.raises(MalformedPacket):
        counted(b"0003")
    with pytest.raises(MalformedNegotiation):
        counted(b"0009ab")
