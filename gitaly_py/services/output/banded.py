"""A pack of the cache as side-band packets of a channel, around those that the pack consists of."""

from __future__ import annotations

from gitaly_py.git.wire import sideband
from gitaly_py.git.wire.sideband import Band
from gitaly_py.transport.wire import Callback, Wire
from gitaly_py.transport.yamux.sources import Source

_HEADER = len(sideband.header(Band.DATA, 0))


class BandedSource:
    """What another source gives, in packets of band 1; a packet is begun with what is there by then."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._header = memoryview(b"")
        self._left = 0  # of the packet that was begun

    @property
    def done(self) -> bool:
        """See Source."""
        return not self._header and not self._left and self._source.done

    def available(self) -> int:
        """See Source."""
        there = self._source.available()
        unbegun = there - self._left
        headers = -(-unbegun // sideband.MAX_DATA)
        return len(self._header) + there + headers * _HEADER

    def wait(self, callback: Callback | None) -> None:
        """See Source."""
        self._source.wait(callback)

    def lead(self, limit: int) -> bytes:
        """See Source."""
        if self.done:
            return b""
        self._begin()
        if len(self._header) > limit:
            return b""
        header, self._header = bytes(self._header), memoryview(b"")
        data = self._source.lead(min(limit - len(header), self._left))
        self._left -= len(data)
        return header + data

    def transfer(self, wire: Wire, length: int) -> int:
        """See Source."""
        self._begin()
        if self._header:
            sent = wire.send(self._header[:length], more=length > len(self._header))
            self._header = self._header[sent:]
        else:
            sent = self._source.transfer(wire, min(length, self._left))
            self._left -= sent
        return sent

    def detach(self, length: int) -> bytes:
        """See Source."""
        parts = []
        while length:
            self._begin()
            if self._header:
                part = bytes(self._header[:length])
                self._header = self._header[len(part) :]
            else:
                part = self._source.detach(min(length, self._left))
                self._left -= len(part)
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def _begin(self) -> None:
        if not self._header and not self._left:
            self._left = min(self._source.available(), sideband.MAX_DATA)
            self._header = memoryview(sideband.header(Band.DATA, self._left))
