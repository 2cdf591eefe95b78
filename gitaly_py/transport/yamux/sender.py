"""The one way out of a session: frames of all streams in turn, each whole, behind queued control frames."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from gitaly_py.telemetry import metrics
from gitaly_py.transport.errors import TruncatedSource
from gitaly_py.transport.wire import WIRE_ERRORS, Callback, Wire
from gitaly_py.transport.yamux.session import Session
from gitaly_py.transport.yamux.sources import BytesSource, Source
from gitaly_py.transport.yamux.stream import Stream

FRAME_BYTES: Final = 262144  # body of one frame while other streams wait for their turn
LONE_FRAME_BYTES: Final = 4 << 20  # the same while none does: fewer frames cost both ends less
TURN_BYTES: Final = 4 << 20  # sent in one turn of the event loop
INLINE_BYTES: Final = 16384  # bodies up to this are copied behind their header: one call instead of two
STALL_TIMEOUT: Final = 60.0  # seconds the peer's kernel may take nothing at all (transport.md 1.5)


class _Frame:
    """What is being sent: whole frames as bytes, then perhaps the body of one more."""

    __slots__ = ("left", "prefix", "source", "stream")

    def __init__(self, prefix: bytes) -> None:
        self.prefix = memoryview(prefix)
        self.stream: Stream | None = None
        self.source: Source | None = None
        self.left = 0

    def send(self, wire: Wire) -> int:
        """Sends some of it; returns how much."""
        if self.source is None or self.prefix:
            sent = wire.send(self.prefix, more=self.left > 0)
            self.prefix = self.prefix[sent:]
        else:
            sent = self.source.transfer(wire, self.left)
            self.left -= sent
        return sent

    @property
    def done(self) -> bool:
        """All of it is sent."""
        return not self.prefix and not self.left


class Sender:
    """Writes to `wire` what `session` queues and what streams want to send.

    Streams with something to send take turns of one frame; the credit is asked for anew for each.
    on_idle: called whenever all has been sent. on_error: called once, when the wire is dead or a
    source broke its promise within a frame.
    """

    def __init__(
        self, wire: Wire, session: Session, *, on_idle: Callback, on_error: Callable[[str], None]
    ) -> None:
        self._wire = wire
        self._session = session
        self._on_idle = on_idle
        self._on_error = on_error
        self._loop = asyncio.get_running_loop()
        self._ready: dict[Stream, None] = {}
        self._turn: Stream | None = None
        self._frame: _Frame | None = None
        self._busy = False
        self._blocked = False
        self._stopped = False
        self._progress = 0
        self._stall: asyncio.TimerHandle | None = None

    @property
    def blocked(self) -> bool:
        """The wire takes nothing now."""
        return self._blocked

    @property
    def busy(self) -> bool:
        """What is queued now will be sent before this turn of the event loop ends."""
        return self._busy

    @property
    def idle(self) -> bool:
        """Nothing is left to send."""
        return not (self._ready or self._frame is not None or self._session.frames_to_send)

    def hold(self) -> None:
        """Gathers what is to be sent until `flush`."""
        self._busy = True

    def flush(self) -> None:
        """Ends `hold` and sends."""
        self._busy = False
        self.send()

    def send(self) -> None:
        """Sends what there is, as far as the wire takes it; the rest follows when it takes more."""
        if not (self._busy or self._blocked or self._stopped or self.idle):
            self._run()

    def stop(self) -> None:
        """Forgets everything; nothing is sent any more."""
        self._stopped = True
        self._ready.clear()
        self._frame = None
        if self._stall is not None:
            self._stall.cancel()

    def drop_streams(self) -> None:
        """Sends no more for streams; what is queued already goes out."""
        self._ready.clear()

    def enqueue(self, stream: Stream) -> None:
        """A stream may have something to send, or credit to do so; takes effect with the next `send`."""
        if stream.wants_to_write:
            self._ready[stream] = None

    def send_now(self, stream: Stream, data: memoryview) -> int:
        """Frames as much of `data` as can go at once. Raises BlockingIOError when it is not the time."""
        credit = self._session.credit(stream.number)
        others_first = self._turn is not stream and bool(self._ready)
        if not credit or self._frame is not None or others_first:
            raise BlockingIOError
        length = min(credit, len(data), self._longest)
        self._frame = self._framed(stream, BytesSource(data[:length]), length)
        self.send()
        return length

    def detach(self, stream: Stream) -> None:
        """The source of `stream` goes away: what was announced of it is taken into memory.

        Raises OSError or TruncatedSource; then the frame can't be completed any more.
        """
        frame = self._frame
        if frame is not None and frame.stream is stream:
            frame.stream = None
            if frame.source is not None:
                frame.source = BytesSource(frame.source.detach(frame.left))

    @property
    def _longest(self) -> int:
        """Bytes of the longest frame that may be begun now."""
        return FRAME_BYTES if self._ready else LONE_FRAME_BYTES

    def _run(self) -> None:
        self._busy = True
        try:
            self._blocked = self._send_frames()
        except BlockingIOError:
            self._blocked = True
        except (*WIRE_ERRORS, TruncatedSource) as error:
            self._on_error(str(error))
            return
        finally:
            self._busy = False
        if self._stopped:
            return
        if self._blocked:
            self._wire.watch_writable(self._writable)
            self._watch_stall()
        else:
            self._wire.watch_writable(None)
            self._on_idle()

    def _writable(self) -> None:
        if not (self._busy or self._stopped):
            self._run()

    def _send_frames(self) -> bool:
        """Sends until nothing is left (False) or a turn's share is used up (True)."""
        budget = TURN_BYTES
        while budget > 0:
            frame = self._frame
            if frame is None:
                frame = self._frame = self._next_frame()
                if frame is None:
                    return False
            sent = frame.send(self._wire)
            metrics.yamux_write_size.observe(sent)
            self._progress += sent
            budget -= sent
            if frame.done:
                self._frame = None
                if frame.stream is not None:
                    self._sent(frame.stream)
        return True

    def _next_frame(self) -> _Frame | None:
        while self._ready:
            stream = next(iter(self._ready))
            del self._ready[stream]
            credit = self._session.credit(stream.number)
            if not credit:
                continue
            if stream.source is None:
                frame = self._given_turn(stream)
            else:
                frame = self._source_frame(stream, stream.source, credit)
            if frame is not None:
                return frame
        control = self._session.data_to_send()
        return _Frame(b"".join(control)) if control else None

    def _given_turn(self, stream: Stream) -> _Frame | None:
        """Asks a writer that waits for its turn; it answers through `send_now`."""
        self._turn = stream
        stream.wake_writer()
        self._turn = None
        return self._frame

    def _source_frame(self, stream: Stream, source: Source, credit: int) -> _Frame | None:
        try:
            length = min(credit, self._longest, source.available())
        except OSError as error:
            stream.source_failed(error)
            return None
        if length:
            return self._framed(stream, source, length)
        if source.done:
            stream.source_done()
        else:
            source.wait(lambda: self._source_filled(stream))
        return None

    def _source_filled(self, stream: Stream) -> None:
        self.enqueue(stream)
        self.send()

    def _framed(self, stream: Stream, source: Source, length: int) -> _Frame:
        header = self._session.data_header(stream.number, length)
        control = self._session.data_to_send()
        inline = source.lead(min(length, INLINE_BYTES))
        frame = _Frame(b"".join((*control, header, inline)))
        frame.stream = stream
        frame.source, frame.left = source, length - len(inline)
        return frame

    def _sent(self, stream: Stream) -> None:
        if stream.source is not None and stream.source.done:
            stream.source_done()
        else:
            self.enqueue(stream)

    def _watch_stall(self) -> None:
        if self._stall is None:
            self._stall = self._loop.call_later(STALL_TIMEOUT, self._check_stall, self._progress)

    def _check_stall(self, progress: int) -> None:
        self._stall = None
        if self._frame is None:
            return
        if self._progress == progress:
            self._on_error("connection write timeout")
        else:
            self._watch_stall()
