"""What a client asks of upload-pack, cut into whole requests (gitprotocol-v2, gitprotocol-pack).

A request of protocol version 2 ends with a flush packet. One of the older versions, over a transport without
state, ends with `done`, with the flush behind its haves, or with the client's data.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Final

from gitaly_py.git.wire.errors import MalformedPacket, WireError
from gitaly_py.git.wire.negotiation import Negotiation, NegotiationParser
from gitaly_py.git.wire.pktline import FLUSH, Incomplete, Kind, Packet, decode, encode

FETCH: Final = b"fetch"
LS_REFS: Final = b"ls-refs"

_CHATTER: Final = re.compile(rb"(?:^| )(?:agent|session-id)=\S*")
"""Says who asks, and changes nothing about the answer."""

_SHORT: Final = 4096
"""Bytes of the longest request that is remembered."""
_REMEMBERED: Final = 256

_DEPENDS_ON_REFERENCES: Final = (b"deepen-not ", b"want-ref ")


@dataclass(frozen=True)
class FetchRequest:
    """A whole request.

    data: as the client sent it. version: 0 (which stands for 1, too) or 2.
    """

    data: bytes
    version: int
    packets: tuple[Packet, ...] = field(repr=False)

    @cached_property
    def command(self) -> bytes:
        """The command of version 2; older clients can only fetch."""
        if self.version < 2:
            return FETCH
        first = self._lines[0] if self._lines else b""
        return first.removeprefix(b"command=") if first.startswith(b"command=") else b""

    @cached_property
    def side_band(self) -> bool:
        """Whether the pack, and nothing but it, comes in large side-band packets."""
        if self.version < 2:
            return b"side-band-64k" in self._capabilities
        return not any(line == b"sideband-all" or line.startswith(b"packfile-uris ") for line in self._lines)

    @cached_property
    def depends_on_references(self) -> bool:
        """Whether the answer follows from what references say, and not from objects alone."""
        return any(line.startswith(_DEPENDS_ON_REFERENCES) for line in self._lines)

    @property
    def deepens(self) -> bool:
        """Whether the client asks for another depth of history."""
        return any(line.startswith(b"deepen") for line in self._lines)

    @property
    def essence(self) -> bytes:
        """What the answer depends on: the request without the client's name for itself."""
        return b"".join(self._essential())

    @cached_property
    def digest(self) -> bytes:
        """A short name of its essence."""
        return hashlib.sha256(self.essence).digest()

    @cached_property
    def negotiation(self) -> Negotiation:
        """What it asks for, not to be changed; all zero when it can't be parsed."""
        parser = NegotiationParser()
        try:
            parser.count(self.packets)
        except WireError:
            return Negotiation()
        return parser.counted

    def _essential(self) -> Iterator[bytes]:
        before = 0
        for packet, line in zip(self.packets, self._texts, strict=True):
            if b"agent=" in line or b"session-id=" in line:
                left = _CHATTER.sub(b"", line)
                yield encode(left) if left else b""
            else:
                yield self.data[before : packet.end]
            before = packet.end

    @cached_property
    def _texts(self) -> list[bytes]:
        return [packet.payload.removesuffix(b"\n") for packet in self.packets]

    @cached_property
    def _lines(self) -> list[bytes]:
        return [text for text in self._texts if text]

    @property
    def _capabilities(self) -> list[bytes]:
        first = self._lines[0] if self._lines else b""
        return first.split(b" ")[2:] if first.startswith(b"want ") else []


class RequestReader:
    """Cuts requests from what a client sends. version: of the protocol, see FetchRequest.

    malformed: what came is no request, and only git knows what to say to it.
    """

    def __init__(self, version: int) -> None:
        self.malformed = False
        self._version = version
        self._data = bytearray()
        self._offset = 0
        self._packets: list[Packet] = []

    @property
    def begun(self) -> bytes:
        """What has come and belongs to no whole request yet."""
        return bytes(self._data)

    def receive(self, data: bytes = b"") -> FetchRequest | None:
        """The next request, if `data` completes one; call again, without data, for those behind it."""
        if data and not self._data and _may_be_known(data, self._version):
            request = _known(data)
            if request is not None:
                return request
        self._data += data
        return self._next()

    def _next(self) -> FetchRequest | None:
        while not self.malformed:
            try:
                packet = decode(self._data, self._offset)
            except MalformedPacket:
                self.malformed = True
                break
            if isinstance(packet, Incomplete):
                break
            self._offset = packet.end
            self._packets.append(packet)
            if self._ends(packet):
                return self._taken()
        return None

    def end(self) -> FetchRequest | None:
        """The client sends no more: the request that ends with its data, if it has sent one."""
        whole = self._packets and self._offset == len(self._data)
        return self._taken() if whole and self._version < 2 and not self.malformed else None

    def _ends(self, packet: Packet) -> bool:
        if self._version >= 2:
            return packet.kind is Kind.FLUSH
        if packet.kind is Kind.FLUSH:
            return sum(each.kind is Kind.FLUSH for each in self._packets) > 1
        return packet.payload.removesuffix(b"\n") == b"done"

    def _taken(self) -> FetchRequest:
        request = FetchRequest(bytes(self._data[: self._offset]), self._version, tuple(self._packets))
        del self._data[: self._offset]
        self._offset = 0
        self._packets = []
        return request

    @classmethod
    def only(cls, data: bytes) -> FetchRequest | None:
        """The request of version 2 that `data` is; None when it is more or less than one."""
        reader = cls(2)
        reader._data += data
        request = reader._next()
        return None if reader._data else request


def _may_be_known(data: bytes, version: int) -> bool:
    return version >= 2 and len(data) <= _SHORT and data.endswith(FLUSH)


_known = lru_cache(_REMEMBERED)(RequestReader.only)
"""Clients that fetch the same send the same, of which everything is known once one of them was heard."""
