"""Counts what a client asks of upload-pack, from a copy of its request (transport.md 2.4)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from gitaly_py.git.wire.errors import MalformedNegotiation
from gitaly_py.git.wire.pktline import Decoder, Kind, Packet


@dataclass
class Negotiation:
    """What was counted. payload_size: bytes; deepen: the whole last line; command, user_agent: for logs."""

    payload_size: int = 0
    packets: int = 0
    wants: int = 0
    haves: int = 0
    shallows: int = 0
    capabilities: list[bytes] = field(default_factory=list)
    deepen: bytes = b""
    filter: bytes = b""
    command: bytes = b""
    user_agent: bytes = b""


class NegotiationParser:
    """Feeds on the bytes of a request; `counted` says what they amount to so far."""

    def __init__(self) -> None:
        self.counted = Negotiation()
        self._decoder = Decoder()
        self._done = False

    def receive(self, data: bytes) -> None:
        """Counts the packets that `data` completes; nothing behind `done`.

        Raises MalformedPacket or MalformedNegotiation; what was counted before stays, and the parser
        must not be fed any more.
        """
        if not self._done:
            self.count(self._decoder.receive(data))

    def count(self, packets: Iterable[Packet]) -> None:
        """The same for packets that were decoded already."""
        for packet in packets:
            if self._count(packet):
                self._done = True
                return

    def end(self) -> None:
        """The request is complete. Raises MalformedNegotiation when it stops inside a packet."""
        if not self._done and self._decoder.pending:
            raise MalformedNegotiation("unexpected end of the request")

    def _count(self, packet: Packet) -> bool:
        """Counts one packet; True for the one that ends the negotiation."""
        text = packet.payload.removesuffix(b"\n")
        if packet.kind is Kind.DATA and text == b"done":
            return True
        counted = self.counted
        counted.packets += 1
        counted.payload_size += len(text)
        if packet.kind is Kind.DATA:
            self._count_line(text)
        return False

    def _count_line(self, text: bytes) -> None:
        counted = self.counted
        first, *more = text.split(b" ")
        if first.startswith(b"command="):
            counted.command = first.removeprefix(b"command=")
        elif first.startswith(b"agent="):
            counted.user_agent = first.removeprefix(b"agent=")
        elif first == b"want":
            self._count_want(more)
        elif first in _COUNTED:
            _expect(len(more) == 1, first)
            setattr(counted, _COUNTED[first], getattr(counted, _COUNTED[first]) + 1)
        elif first in _DEEPENING:
            _expect(len(more) == 1, first)
            counted.deepen = text
        elif first == b"filter":
            _expect(len(more) == 1, first)
            counted.filter = more[0]

    def _count_want(self, more: list[bytes]) -> None:
        _expect(len(more) >= 1, b"want")
        self.counted.wants += 1
        if len(more) > 1:
            _expect(not self.counted.capabilities, b"want")
            self.counted.capabilities = more[1:]


_COUNTED = {b"shallow": "shallows", b"have": "haves"}
_DEEPENING = frozenset((b"deepen", b"deepen-since", b"deepen-not"))


def _expect(holds: bool, keyword: bytes) -> None:
    if not holds:
        raise MalformedNegotiation(f"bad {keyword.decode()} line")
