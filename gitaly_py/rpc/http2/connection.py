"""One HTTP/2 connection as its server has it, without I/O (RFC 9113).

Give `receive` what comes and act on its events; after it, and after every other method, send what `take`
gives. Nothing that the client does raises: a broken connection ends with one ConnectionFailed event, its
GOAWAY queued, and from then on everything that still comes is ignored.
"""

from __future__ import annotations

import time

from gitaly_py.rpc.http2 import frames
from gitaly_py.rpc.http2.errors import ConnectionFault, ErrorCode
from gitaly_py.rpc.http2.events import ConnectionFailed, Event
from gitaly_py.rpc.http2.limits import Clock, Limits
from gitaly_py.rpc.http2.receiver import Receiver
from gitaly_py.rpc.http2.sending import Sender
from gitaly_py.rpc.http2.settings import announced
from gitaly_py.rpc.http2.streams import NO_END, Buffer, Change, State, Stream, Streams


class Connection:
    """See the module's text. clock: seconds, for the rates of `limits`.

    What is to be sent on a stream that has ended meanwhile is dropped: the client does not want it.
    """

    def __init__(self, limits: Limits | None = None, *, clock: Clock = time.monotonic) -> None:
        limits = limits or Limits()
        self._streams = Streams()
        self._sender = Sender(self._sent_all)
        self._receiver = Receiver(self._streams, self._sender, limits, clock)
        self._failed = False
        self._sender.control(announced(limits))

    def receive(self, data: bytes) -> list[Event]:
        """What `data`, the next octets from the client, amounts to."""
        events = self._receiver.events = []
        try:
            self._receiver.feed(data)
        except ConnectionFault as fault:
            events.append(self._fail(fault))
        return events

    def consumed(self, number: int, size: int) -> None:
        """`size` octets of a stream's data are done with: the client may send as many again."""
        if not self._failed:
            self._receiver.consumed(number, size)

    @property
    def settled(self) -> bool:
        """The client has acknowledged our settings."""
        return self._receiver.settled

    @property
    def open_streams(self) -> int:
        """How many streams have not ended."""
        return len(self._streams.open)

    @property
    def ended_gracefully(self) -> bool:
        """`end_gracefully` was said: no stream comes to those that are open."""
        return self._streams.served_until < NO_END

    @property
    def pending(self) -> bool:
        """`take` may have something to give."""
        return self._sender.pending

    @property
    def queued(self) -> int:
        """Octets of responses that wait to be taken."""
        return self._sender.queued + self._sender.passing

    def queued_on(self, number: int) -> int:
        """Octets of messages of one stream that wait to be taken."""
        stream = self._streams.open.get(number)
        return 0 if stream is None else stream.queued

    def take(self, limit: int) -> list[Buffer]:
        """What is to be sent now, in order: about `limit` octets of messages at most."""
        queued = self.queued
        taken = self._sender.take(limit)
        if self.queued != queued:
            self._receiver.pings.answered = True
        return taken

    def send_headers(self, number: int, block: bytes) -> None:
        """Begins a response."""
        stream = self._streams.sending(number)
        if stream is not None:
            self._sender.headers(stream, block)

    def send_data(self, number: int, *buffers: Buffer) -> None:
        """A part of a response's body; the buffers must not change afterwards."""
        stream = self._streams.sending(number)
        if stream is not None:
            self._sender.data(stream, *buffers)

    def send_trailers(self, number: int, block: bytes) -> None:
        """Ends a response, which is nothing but this block when nothing was sent before."""
        stream = self._streams.sending(number)
        if stream is not None:
            self._sender.trailers(stream, block)

    def respond(self, number: int, headers: bytes, message: bytes, trailers: bytes) -> None:
        """A whole response."""
        stream = self._streams.sending(number)
        if stream is None:
            return
        if self._sender.whole(stream, headers, message, trailers):
            self._sent_all(stream)
            return
        self._sender.headers(stream, headers)
        self._sender.data(stream, message)
        self._sender.trailers(stream, trailers)

    def reset(self, number: int, code: ErrorCode) -> None:
        """Ends a stream at once, in both directions."""
        stream = self._streams.open.get(number)
        if stream is not None:
            self._sender.control(frames.rst_stream(number, code))
            self._sender.drop(stream)
            self._streams.reset(number)
            self._streams.change(stream, Change.RESET)

    def ping(self, opaque: bytes) -> None:
        """Asks the client for a sign of life: eight octets, which PingAnswered gives back."""
        if not self._failed:
            self._sender.control(frames.ping(opaque))

    def warn_of_end(self) -> None:
        """First half of a graceful end (RFC 9113 6.8): the client shall open no more streams."""
        if not self._failed and not self.ended_gracefully:
            self._sender.control(frames.goaway(frames.MAX_WINDOW, ErrorCode.NO_ERROR))

    def end_gracefully(self) -> None:
        """Second half, once streams that were on their way have come: later ones are not served."""
        streams = self._streams
        if not self._failed and not self.ended_gracefully:
            streams.served_until = streams.last
            self._sender.control(frames.goaway(streams.last, ErrorCode.NO_ERROR))

    def fail(self, code: ErrorCode, reason: str) -> list[Event]:
        """Ends the connection for something that only the driver sees, such as a time-out."""
        return [] if self._failed else [self._fail(ConnectionFault(code, reason))]

    def _fail(self, fault: ConnectionFault) -> Event:
        self._failed = True
        self._receiver.stop()
        self._sender.drop_all(self._streams.open.values())
        self._streams.open.clear()
        last = min(self._streams.last, self._streams.served_until)  # it must never rise (RFC 9113 6.8)
        self._sender.control(frames.goaway(last, fault.code, fault.reason.encode()))
        return ConnectionFailed(fault.code, fault.reason)

    def _sent_all(self, stream: Stream) -> None:
        """The end of a response is given out. A client that still sends has no reason to (RFC 9113 8.1)."""
        if stream.state is State.OPEN:
            self._sender.control(frames.rst_stream(stream.number, ErrorCode.NO_ERROR))
            self._streams.reset(stream.number)
            self._streams.change(stream, Change.RESET)
        else:
            self._streams.change(stream, Change.SENT_END)
