"""Runs one session over a wire: reads frames, hands their content to streams, and knows when all is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from gitaly_py.telemetry import metrics
from gitaly_py.transport.errors import SessionClosed, StreamReset, TruncatedSource
from gitaly_py.transport.wire import WIRE_ERRORS, Wire
from gitaly_py.transport.yamux import events
from gitaly_py.transport.yamux.deadlines import Deadlines
from gitaly_py.transport.yamux.frames import INITIAL_WINDOW
from gitaly_py.transport.yamux.sender import Sender
from gitaly_py.transport.yamux.session import Session, Side
from gitaly_py.transport.yamux.stream import Stream

READ_BYTES: Final = 262144
CONTROL_FRAMES: Final = 4096  # unsent answers to a peer that does not read; then we stop reading too
UNACKNOWLEDGED_STREAMS: Final = 256  # what clients accept (transport.md 1.6)
OPEN_TIMEOUT: Final = 75.0  # seconds until an unacknowledged stream ends the session (1.4)
LINGER_TIMEOUT: Final = 10.0  # seconds for what is queued when the session is closed


class Driver:
    """The streams of one connection. Owns `wire`; `start` it, then `open` or `accept` streams.

    window: bytes a stream may have in flight towards us.
    backlog: streams of the peer that may wait for `accept`.
    close_timeout: seconds until a stream we closed is aborted when the peer does not close it.

    The peer's frames are read at all times, so no stream holds up another.
    """

    def __init__(
        self,
        wire: Wire,
        side: Side,
        *,
        window: int = INITIAL_WINDOW,
        backlog: int = 256,
        close_timeout: float = 300.0,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self._wire = wire
        self._session = Session(side, window=window, backlog=backlog)
        self._sender = Sender(wire, self._session, on_idle=self._idle, on_error=self.abort)
        self._openings = Deadlines(self.loop, OPEN_TIMEOUT, self._check_acknowledged)
        self._closings = Deadlines(self.loop, close_timeout, self.reset_stream)
        self._streams: dict[int, Stream] = {}
        self._incoming: asyncio.Queue[Stream | None] = asyncio.Queue()
        self._openers: set[asyncio.Future[None]] = set()
        self._failure: SessionClosed | None = None
        self._violation = False
        self._sending_soon = False
        self._closed = asyncio.Event()
        self._linger: asyncio.TimerHandle | None = None

    @property
    def failure(self) -> SessionClosed | None:
        """Why the session is over; None while it is not."""
        return self._failure

    @property
    def violation(self) -> bool:
        """The session is over because the peer broke the protocol."""
        return self._violation

    def start(self) -> None:
        """Begins to read frames."""
        self._wire.watch_readable(self._read)

    async def open(self) -> Stream:
        """Opens a stream; data may be written at once. Waits while the peer has to acknowledge too many.

        Raises SessionClosed, StreamsExhausted.
        """
        while self._failure is None and self._session.unacknowledged >= UNACKNOWLEDGED_STREAMS:
            opener = self.loop.create_future()
            self._openers.add(opener)
            try:
                await opener
            finally:
                self._openers.discard(opener)
        self._check_open()
        number = self._session.open()
        stream = self._streams[number] = Stream(self, number)
        self._openings.start(stream)
        self._send_soon()
        return stream

    async def accept(self) -> Stream:
        """Waits for the next stream the peer opens and acknowledges it. Raises SessionClosed."""
        stream = await self._incoming.get()
        if stream is None:
            self._incoming.put_nowait(None)
            self._check_open()
            raise SessionClosed("closed")
        self._session.accept(stream.number)
        self._sender.send()
        return stream

    def close(self) -> None:
        """Ends the session: streams fail, what is queued is sent, then the wire is closed."""
        self._end("closed on this side")

    def abort(self, reason: str) -> None:
        """Ends the session at once: streams fail, what is queued is lost."""
        self._sender.stop()
        self._wire.abort()
        self._end(reason)
        self._close_wire()

    async def wait_closed(self) -> None:
        """Waits until the session is over and its wire closed."""
        await self._closed.wait()

    # What follows is for Stream.

    def consumed(self, stream: Stream, length: int) -> None:
        """Received bytes of a stream were used."""
        if self._session.consumed(stream.number, length):
            self._sender.send()

    def schedule(self, stream: Stream) -> None:
        """A stream has something to send."""
        self._sender.enqueue(stream)
        self._sender.send()

    def send_now(self, stream: Stream, data: memoryview) -> int:
        """Frames as much of `data` as can go at once. Raises BlockingIOError when it is not the time."""
        return self._sender.send_now(stream, data)

    def queue(self, stream: Stream, data: bytes) -> bool:
        """Frames a few bytes to go out with the end of this turn; False when the peer can't take them now."""
        if self._sender.blocked or self._session.credit(stream.number) < len(data):
            return False
        self._session.data(stream.number, data)
        self._send_soon()
        return True

    def detach(self, stream: Stream) -> None:
        """The source of `stream` goes away; a frame that was begun is completed from memory."""
        try:
            self._sender.detach(stream)
        except (OSError, TruncatedSource) as error:
            self.abort(str(error))

    def close_stream(self, stream: Stream, *, awaits_peer: bool) -> None:
        """Sends FIN; aborts the stream after the close timeout unless the peer has closed it by then."""
        self._session.close(stream.number)
        if awaits_peer:
            self._closings.start(stream)
        else:
            self._forget(stream)
        self._send_soon()

    def reset_stream(self, stream: Stream) -> None:
        """Sends RST and drops the stream."""
        stream.lost(StreamReset())
        self._session.reset(stream.number)
        self._forget(stream)
        self._sender.send()

    def _send_soon(self) -> None:
        """Sends what is queued at the end of this turn, unless data for which it waited takes it along.

        Each call that sends wakes the peer, which costs more than all the rest of a small frame. Nothing is
        to be done while the sender gathers or sends anyway.
        """
        if not self._sending_soon and not self._sender.busy:
            self._sending_soon = True
            self.loop.call_soon(self._send_now)

    def _send_now(self) -> None:
        self._sending_soon = False
        self._sender.send()

    # Reading.

    def _read(self) -> None:
        try:
            data = self._wire.recv(READ_BYTES)
        except BlockingIOError:
            return
        except WIRE_ERRORS as error:
            self.abort(str(error))
            return
        if data:
            metrics.yamux_read_size.observe(len(data))
        self._sender.hold()
        try:
            self._dispatch(self._session.receive_data(data) if data else self._session.receive_eof())
        finally:
            self._sender.flush()
        for opener in self._openers:
            if not opener.done():
                opener.set_result(None)
        if self._session.frames_to_send > CONTROL_FRAMES:
            self._wire.watch_readable(None)

    def _dispatch(self, received: list[events.Event]) -> None:
        readable: dict[Stream, None] = {}
        for event in received:
            stream = self._HANDLERS[type(event)](self, event)
            if stream is not None:
                readable[stream] = None
        for stream in readable:
            stream.wake_reader()

    def _opened(self, event: events.StreamOpened) -> None:
        stream = self._streams[event.stream] = Stream(self, event.stream)
        self._incoming.put_nowait(stream)

    def _received(self, event: events.DataReceived) -> Stream | None:
        stream = self._streams.get(event.stream)
        if stream is not None and stream.received(event.data):
            return stream
        self._session.consumed(event.stream, len(event.data))
        return None

    def _granted(self, event: events.CreditGranted) -> None:
        stream = self._streams.get(event.stream)
        if stream is not None:
            self._sender.enqueue(stream)

    def _ended(self, event: events.StreamEnded) -> Stream | None:
        stream = self._streams.get(event.stream)
        if stream is not None:
            stream.ended()
            if not self._session.knows(event.stream):
                self._forget(stream)
        return stream

    def _reset(self, event: events.StreamReset) -> None:
        stream = self._streams.get(event.stream)
        if stream is not None:
            self._forget(stream)
            stream.lost(StreamReset())

    def _failed(self, event: events.SessionFailed) -> None:
        self._violation = event.violation
        if event.violation:
            self._end(event.reason)
        else:
            self.abort(event.reason)

    _HANDLERS: Final[dict[type, Callable[[Driver, Any], Stream | None]]] = {
        events.StreamOpened: _opened,
        events.DataReceived: _received,
        events.CreditGranted: _granted,
        events.StreamEnded: _ended,
        events.StreamReset: _reset,
        events.SessionFailed: _failed,
    }

    # Ending.

    def _check_open(self) -> None:
        if self._failure is not None:
            raise SessionClosed(self._failure.reason)

    def _check_acknowledged(self, stream: Stream) -> None:
        if not self._session.acknowledged(stream.number):
            self._end("stream open timeout")

    def _forget(self, stream: Stream) -> None:
        self._openings.stop(stream)
        self._closings.stop(stream)
        self._streams.pop(stream.number, None)

    def _idle(self) -> None:
        if self._failure is None:
            self._wire.watch_readable(self._read)
        else:
            self._close_wire()

    def _end(self, reason: str) -> None:
        """Fails the streams, then lets go out what is queued."""
        if self._failure is not None:
            return
        self._failure = SessionClosed(reason)
        self._wire.watch_readable(None)
        self._linger = self.loop.call_later(LINGER_TIMEOUT, self._close_wire)
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.lost(SessionClosed(reason))
        self._openings.clear()
        self._closings.clear()
        self._sender.drop_streams()
        self._incoming.put_nowait(None)
        self._sender.send()
        if self._sender.idle:
            self._close_wire()

    def _close_wire(self) -> None:
        self._sender.stop()
        if self._linger is not None:
            self._linger.cancel()
        self._wire.close()
        self._closed.set()
        for opener in self._openers:
            if not opener.done():
                opener.set_result(None)
