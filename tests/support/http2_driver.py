"""A driver of the HTTP/2 core that does anything it may, and checks after each step what must always hold."""

from __future__ import annotations

from collections import Counter
from random import Random

from gitaly_py.rpc.http2 import events, replies
from gitaly_py.rpc.http2.connection import Connection
from gitaly_py.rpc.http2.errors import ErrorCode
from gitaly_py.rpc.http2.limits import MAX_UNSENT_ANSWERS, Limits
from gitaly_py.rpc.http2.messages import MessageError, MessageReader
from gitaly_py.rpc.http2.requests import NotServed, read
from gitaly_py.rpc.http2.streams import RECEIVING, REMEMBERED_RESETS
from gitaly_py.rpc.status import OK, Status
from tests.support.http2 import (
    CONTINUATION,
    DATA,
    DEFAULT_WINDOW,
    END_HEADERS,
    GOAWAY,
    HEADERS,
    MAX_WINDOW,
    SETTINGS,
    WINDOW_UPDATE,
    Frame,
    decoded,
)

TRAILERS = replies.trailers(OK, ())
LARGE_TRAILERS = replies.trailers_only(Status(OK.code, "x" * 40000))
MAX_MESSAGE = 10_000


class Violation(AssertionError):
    """Something that must always hold does not."""


def holds(condition: bool, what: str) -> None:
    """Raises Violation."""
    if not condition:
        raise Violation(what)


class Ledger:
    """What a client has granted at most, and what it was sent of it: reads both directions for itself."""

    def __init__(self) -> None:
        self._granted: Counter[int] = Counter({0: DEFAULT_WINDOW})
        self._sent: Counter[int] = Counter()
        self._initial = DEFAULT_WINDOW
        self._largest = 16384
        self._block = 0
        self._last_named = MAX_WINDOW

    def granted(self, octets: bytes) -> None:
        """Notes everything that comes, even if the connection does not get that far."""
        start = 24
        while start + 9 <= len(octets):
            stop = start + 9 + int.from_bytes(octets[start : start + 3])
            kind, payload = octets[start + 3], octets[start + 9 : stop]
            stream = int.from_bytes(octets[start + 5 : start + 9]) & MAX_WINDOW
            if kind == WINDOW_UPDATE and len(payload) == 4:
                self._granted[stream] += int.from_bytes(payload) & MAX_WINDOW
            elif kind == SETTINGS:
                self._settings(payload)
            start = stop

    def _settings(self, payload: bytes) -> None:
        for place in range(0, len(payload) - 5, 6):
            key, value = (
                int.from_bytes(payload[place : place + 2]),
                int.from_bytes(payload[place + 2 : place + 6]),
            )
            if key == 4:
                self._initial = max(self._initial, value)
            elif key == 5:
                self._largest = max(self._largest, value)

    def sent(self, frames: list[Frame]) -> None:
        """Raises Violation when `frames` are more, or larger, or in another order than the client allows."""
        for frame in frames:
            holds(len(frame.payload) <= self._largest, "frame larger than the client takes")
            holds((frame.kind == CONTINUATION) == bool(self._block), "header block interrupted")
            if frame.kind in (HEADERS, CONTINUATION):
                holds(self._block in (0, frame.stream), "header block of another stream")
                self._block = 0 if frame.flags & END_HEADERS else frame.stream
            elif frame.kind == DATA:
                self._sent[0] += len(frame.payload)
                self._sent[frame.stream] += len(frame.payload)
                allowed = self._initial + self._granted[frame.stream]
                holds(self._sent[frame.stream] <= allowed, "stream window overrun")
                holds(self._sent[0] <= self._granted[0], "connection window overrun")
            elif frame.kind == WINDOW_UPDATE:
                holds(0 < int.from_bytes(frame.payload) <= MAX_WINDOW, "wrong credit")
            elif frame.kind == GOAWAY:
                named = int.from_bytes(frame.payload[:4])
                holds(named <= self._last_named, "last stream rose")
                self._last_named = named


class Driver:
    """Acts on events as `rng` decides. outstanding: octets of each stream that were not given back yet."""

    def __init__(self, limits: Limits, rng: Random) -> None:
        self.limits = limits
        self.core = Connection(limits, clock=lambda: 0.0)
        self.ledger = Ledger()
        self.failed = False
        self.bodies: dict[int, list[bytes]] = {}
        self.outstanding: Counter[int] = Counter()
        self._rng = rng
        self._readers: dict[int, MessageReader] = {}
        self._begun: set[int] = set()

    def receive(self, octets: bytes) -> list[events.Event]:
        """Lets the core have `octets`, acts on what comes of it, and checks."""
        received = self.core.receive(octets)
        holds(not (self.failed and received), "events after the end")
        for event in received:
            holds(not self.failed, "event behind the fault")
            self._on(event)
        self._act()
        self.check()
        return received

    def _on(self, event: events.Event) -> None:
        if isinstance(event, events.RequestReceived):
            self._on_request(event)
        elif isinstance(event, events.DataReceived):
            self._on_data(event)
        elif isinstance(event, events.StreamEnded):
            holds(event.stream not in self.core._streams.open, "stream outlives its end")
        elif isinstance(event, events.ConnectionFailed):
            self.failed = True

    def _on_request(self, event: events.RequestReceived) -> None:
        self.bodies[event.stream] = []
        try:
            request = read(event.fields)
        except NotServed as refusal:
            block = replies.trailers_only(Status(refusal.code, refusal.message), refusal.extra)
            self.core.send_trailers(event.stream, block)
        else:
            self._readers[event.stream] = MessageReader(MAX_MESSAGE, request.decompress)

    def _on_data(self, event: events.DataReceived) -> None:
        self.outstanding[event.stream] += len(event.data)
        self.bodies.setdefault(event.stream, []).append(event.data)
        reader = self._readers.get(event.stream)
        if reader is None:
            return
        try:
            for message, _ in reader.feed(event.data):
                holds(len(message) <= MAX_MESSAGE, "message larger than allowed")
        except MessageError as error:
            del self._readers[event.stream]
            status = Status(Status(OK.code).code, str(error))
            self.core.send_trailers(event.stream, replies.trailers(status, ()))

    def _act(self) -> None:
        rng, core = self._rng, self.core
        for stream, held in list(self.outstanding.items()):
            size = rng.choice((0, held, held // 2))
            self.outstanding[stream] -= size
            core.consumed(stream, size)
        for number in list(core._streams.open):
            self._answer(number, rng.randrange(24))
        if rng.random() < 0.7:
            self._take(rng.choice((1, 1000, 1 << 20)))

    def _answer(self, number: int, choice: int) -> None:
        core = self.core
        if core._streams.open[number].trailers is not None:
            return
        if choice == 0 and number not in self._begun:
            core.respond(number, replies.RESPONSE, bytes(self._rng.choice((0, 5, 300, 20000))), TRAILERS)
        elif choice == 1:
            self._begun.add(number)
            core.send_headers(number, replies.RESPONSE)
        elif choice in (2, 3):
            self._begun.add(number)
            core.send_data(number, b"\0\0\0\1\0", bytes(self._rng.choice((0, 256, 70000))))
        elif choice == 4:
            core.send_trailers(number, self._rng.choice((TRAILERS, LARGE_TRAILERS)))
        elif choice == 5:
            core.reset(number, ErrorCode.CANCEL)
        elif choice == 6 and self._rng.random() < 0.1:
            core.end_gracefully()

    def _take(self, limit: int) -> None:
        self.ledger.sent(decoded(b"".join(self.core.take(limit))))

    def finish(self) -> None:
        """Takes what is left to be sent."""
        for _ in range(1000):
            if not self.core.pending:
                break
            self._take(1 << 30)
        holds(not self.core.pending, "pending without end")
        self.check()

    def check(self) -> None:
        """What holds at any time."""
        self._check_memory()
        core = self.core
        receiver, sender, streams = core._receiver, core._sender, core._streams
        holds(
            sender.queued == sum(stream.queued for stream in streams.open.values()),
            "queued octets miscounted",
        )
        for stream in sender._ready:
            holds(
                stream.ready and streams.open.get(stream.number) is stream, "a stream that is over is ready"
            )
        if self.failed:
            holds(not streams.open and not sender._ready, "streams outlive their connection")
            return
        held = receiver._credit + receiver._unreturned + sum(self.outstanding.values())
        holds(held == self.limits.connection_window, "credit of the connection is lost")
        for number, stream in streams.open.items():
            waits = stream.queued and stream.window > 0
            holds(bool(waits) == stream.ready or not waits, "a stream that could send is not ready")
            if stream.state in RECEIVING:
                total = stream.credit + stream.unreturned + self.outstanding[number]
                holds(total == self.limits.stream_window, "credit of a stream is lost")

    def _check_memory(self) -> None:
        receiver, sender, streams = self.core._receiver, self.core._sender, self.core._streams
        limits = self.limits
        holds(sum(map(len, receiver._reader._parts)) <= limits.max_frame + 9, "too much of a frame is kept")
        block = receiver._blocks
        holds(
            sum(map(len, block._parts)) <= limits.max_header_list + limits.max_frame,
            "too much of a block is kept",
        )
        holds(len(block._parts) <= limits.max_continuations + 1, "too many parts of a block are kept")
        holds(len(streams._reset) <= REMEMBERED_RESETS, "too many resets are kept")
        holds(sender._answers <= MAX_UNSENT_ANSWERS + 1, "too many answers are kept")
        holds(not limits.max_streams or len(streams.open) <= limits.max_streams, "too many streams are open")
        holds(len(sender._ready) <= len(streams.open), "more streams are ready than open")
