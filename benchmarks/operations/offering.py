"""A client that offers calls at a rate, whether or not the daemon keeps up (an open loop).

Each call has a moment at which it is due. Its time counts from there, so that a call which the client itself
sends late is not taken for a quick one. What has no answer within its patience is cancelled, as by a user who
has left. A call has succeeded when all bytes of its answer have come before; calls that a limit refuses have
no bytes at all. Nothing else is decoded, so that this client can offer more than a daemon can do.
"""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

from benchmarks.operations.calls import Target
from benchmarks.rpc.connection import (
    DATA,
    END_STREAM,
    RST_STREAM,
    Connection,
    ended,
    frame,
    grant,
    request,
)
from benchmarks.rpc.metadata import Metadata, block_maker

_CANCEL = (8).to_bytes(4)
_GRANT_BYTES = 16 << 20
_LONGEST_PAUSE = 0.1
_WINDOW = 1 << 27
"""More than any answer, so that streams need no grants."""


@dataclass(frozen=True)
class Offer:
    """Calls of one kind. rate: a second. size: bytes that the answer has at least. patience: seconds."""

    target: Target
    rate: float
    size: int
    patience: float


@dataclass
class Taken:
    """What became of an offer's calls. latencies: seconds of those that succeeded, with the moment (seconds
    since the beginning) at which each was due."""

    offered: int = 0
    latencies: list[tuple[float, float]] = field(default_factory=list)
    refused: int = 0
    given_up: int = 0

    def percentile(self, share: float) -> float:
        """Seconds within which this share of the successful calls had its answer."""
        return percentile([seconds for _, seconds in self.latencies], share)


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that so large a share of all does not exceed; NaN of none."""
    found = sorted(values)
    return found[min(int(share * len(found)), len(found) - 1)] if found else float("nan")


@dataclass
class _Call:
    stream: int
    due: float
    received: int = 0


class _Wire(Connection):
    """A connection whose answers are counted and thrown away. Streams that the server resets never end."""

    def __init__(self, offer: Offer) -> None:
        super().__init__(offer.target.socket, window=_WINDOW)
        self.settle()
        self.calls: dict[int, _Call] = {}
        self._next = 1
        self._ungranted = 0
        self._block = b""
        self._message = offer.target.message
        self._open(offer)

    def begin(self, due: float) -> _Call:
        """Makes a call."""
        call = self.calls[self._next] = _Call(self._next, due)
        self.send(request(self._next, self._block, self._message))
        self._next += 2
        return call

    def take(self) -> list[_Call]:
        """Takes what has come; the calls that have ended."""
        done = []
        for kind, flags, stream, data in self.receive():
            call = self.calls.get(stream)
            if kind == DATA:
                self._ungranted += len(data)
                if call is not None:
                    call.received += len(data)
            if flags & END_STREAM and call is not None:
                del self.calls[stream]
                done.append(call)
        self.blocks.clear()
        if self._ungranted > _GRANT_BYTES:
            self.send(grant(0, self._ungranted))
            self._ungranted = 0
        return done

    def cancel(self, call: _Call) -> None:
        """The client has left."""
        del self.calls[call.stream]
        self.send(frame(RST_STREAM, 0, call.stream, _CANCEL))

    def _open(self, offer: Offer) -> None:
        """Makes the first call, from which on each has the same header block: all is in the table then."""
        make_block = block_maker(offer.target.path, Metadata.NONE, self.table_size)
        self._block = make_block()
        self.begin(0)
        while not ended(self.receive()):
            pass
        self.calls.clear()
        self._block = make_block()

    def _control(self, kind: int, flags: int, payload: bytes) -> None:
        if kind != RST_STREAM:
            super()._control(kind, flags, payload)


class _Source:
    """Makes the calls of an offer, each when it is due, over its connections in turn."""

    def __init__(self, opened: ExitStack, offer: Offer, connections: int) -> None:
        self.offer = offer
        self.taken = Taken()
        self.wires = [opened.enter_context(closing(_Wire(offer))) for _ in range(connections)]
        self._waiting: deque[tuple[_Wire, _Call]] = deque()

    def due(self, number: int) -> float:
        return number / self.offer.rate

    def make(self, now: float, until: float) -> float:
        """Makes what is due now; when there is something to do next. until: when nothing is due any more."""
        moment = self.due(self.taken.offered)
        while moment <= now and moment < until:
            wire = self.wires[self.taken.offered % len(self.wires)]
            self._waiting.append((wire, wire.begin(moment)))
            self.taken.offered += 1
            moment = self.due(self.taken.offered)
        while self._waiting and (
            self._waiting[0][1].due + self.offer.patience <= now
            or self._waiting[0][1].stream not in self._waiting[0][0].calls
        ):
            wire, call = self._waiting.popleft()
            if call.stream in wire.calls:
                wire.cancel(call)
                self.taken.given_up += 1
        next_end = self._waiting[0][1].due + self.offer.patience if self._waiting else float("inf")
        return min(next_end, moment if moment < until else float("inf"))

    def end(self, call: _Call, now: float) -> None:
        if call.received >= self.offer.size:
            self.taken.latencies.append((call.due, now - call.due))
        else:
            self.taken.refused += 1

    @property
    def open(self) -> bool:
        return any(wire.calls for wire in self.wires)


def offer(offers: Sequence[Offer], seconds: float, connections: int) -> tuple[list[Taken], float]:
    """Offers calls for so long, and waits for those that are under way then: what became of each offer's
    calls, and the seconds of that wait.

    connections: of each offer. Raises Broken, OSError when the daemon ends a connection.
    """
    with ExitStack() as opened, select.epoll() as epoll:
        sources = [_Source(opened, each, connections) for each in offers]
        by_descriptor = {wire.socket.fileno(): (source, wire) for source in sources for wire in source.wires}
        for descriptor in by_descriptor:
            epoll.register(descriptor, select.EPOLLIN)
        since, now = time.perf_counter(), 0.0
        while now < seconds or any(source.open for source in sources):
            following = min(source.make(now, seconds) for source in sources)
            pause = min(max(following - (time.perf_counter() - since), 0), _LONGEST_PAUSE)
            for descriptor, _ in epoll.poll(pause):
                source, wire = by_descriptor[descriptor]
                for call in wire.take():
                    source.end(call, time.perf_counter() - since)
            now = time.perf_counter() - since
        return [source.taken for source in sources], now - seconds
