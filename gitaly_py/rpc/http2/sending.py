"""What goes out on a connection: control frames first, then the streams in turn, a frame each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from gitaly_py.rpc.http2 import frames
from gitaly_py.rpc.http2.errors import ConnectionFault, ErrorCode
from gitaly_py.rpc.http2.limits import MAX_UNSENT_ANSWERS
from gitaly_py.rpc.http2.streams import Buffer, Stream

MAX_SENT_FRAME: Final = 132 << 10
"""Octets that the other streams of the connection wait for, whatever the peer takes: a message of the size
that git's output is cut into is one frame."""
NO_DYNAMIC_TABLE: Final = b"\x20"  # RFC 7541 6.3: our blocks never use it, so its size need not be followed

pack_header = frames.header.pack


class Sender:
    """Frames that wait to be sent, and the peer's windows (RFC 9113 5.2).

    on_sent: called with each stream whose last frame was given out.
    """

    def __init__(self, on_sent: Callable[[Stream], None]) -> None:
        self._on_sent = on_sent
        self._control: list[bytes] = []
        self._answers = 0
        self._ready: deque[Stream] = deque()
        self._table_size = NO_DYNAMIC_TABLE
        self._max_frame = frames.MIN_FRAME_SIZE
        self.window = frames.DEFAULT_WINDOW
        self.initial_window = frames.DEFAULT_WINDOW
        self.queued = 0
        """Octets of messages that wait for their turn."""
        self.passing = 0
        """Octets of responses among the control frames."""

    @property
    def pending(self) -> bool:
        """There is something to send that needs no further window."""
        return bool(self._control or (self._ready and self.window > 0))

    def control(self, frame: bytes) -> None:
        """A frame that is ours to send."""
        self._control.append(frame)

    def answer(self, frame: bytes) -> None:
        """A frame that the peer made us send. Raises ConnectionFault when it reads none of them."""
        self._answers += 1
        if self._answers > MAX_UNSENT_ANSWERS:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "answers_not_read")
        self._control.append(frame)

    def headers(self, stream: Stream, block: bytes, *, end: bool = False) -> None:
        """A header block in front of everything else of the stream, or as all of it."""
        self._pass(self._header_frames(stream, block, end))

    def data(self, stream: Stream, *buffers: Buffer) -> None:
        """More of the stream's messages. The buffers must not change afterwards."""
        size = sum(map(len, buffers))
        if stream.queue is None:
            stream.queue = deque(buffers)
        else:
            stream.queue.extend(buffers)
        stream.queued += size
        self.queued += size
        self._schedule(stream)

    def trailers(self, stream: Stream, block: bytes) -> None:
        """The block that ends the stream, behind its messages."""
        if stream.queued:
            stream.trailers = block
        else:
            self._pass(self._header_frames(stream, block, end=True))
            self._on_sent(stream)

    def whole(self, stream: Stream, headers: bytes, message: bytes, trailers: bytes) -> bool:
        """A small response at once, if the windows let it pass now; else nothing is done."""
        size = len(message)
        if size > stream.window or size > self.window:
            return False
        if self._table_size:
            headers = self._table_size + headers
        if max(size, len(headers), len(trailers)) > self._max_frame:
            return False
        self._table_size = b""
        stream.window -= size
        self.window -= size
        self._pass(frames.response(stream.number, headers, message, trailers))
        return True

    def drop(self, stream: Stream) -> None:
        """Nothing more is sent for the stream."""
        self.queued -= stream.queued
        stream.queued = 0
        stream.queue = None
        stream.trailers = None
        if stream.ready:
            stream.ready = False
            self._ready.remove(stream)

    def drop_all(self, streams: Iterable[Stream]) -> None:
        """Nothing more is sent for any stream; control frames still are."""
        for stream in self._ready:
            stream.ready = False
        self._ready.clear()
        for stream in streams:
            self.drop(stream)

    def take(self, limit: int) -> list[Buffer]:
        """Frames to be sent now, about `limit` octets at most but for control frames."""
        out: list[Buffer] = list(self._control)
        self._control.clear()
        self._answers = self.passing = 0
        size = 0
        while self._ready and size < limit and self.window > 0:
            stream = self._ready.popleft()
            stream.ready = False
            share = 1 if self._ready else -(-(limit - size) // self._max_frame)
            size += self._frames(stream, share * self._max_frame, out)
            self._schedule(stream)
        return out

    def grant(self, credit: int) -> None:
        """The peer takes more on the connection. Raises ConnectionFault."""
        self.window += credit
        if self.window > frames.MAX_WINDOW:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "window_overflow")

    def grant_stream(self, stream: Stream, credit: int) -> bool:
        """The peer takes more on a stream. False when that is more than a window can be."""
        stream.window += credit
        if stream.window > frames.MAX_WINDOW:
            return False
        self._schedule(stream)
        return True

    def resize(self, initial_window: int, streams: Iterable[Stream]) -> None:
        """The peer changed the window that streams begin with (RFC 9113 6.9.2). Raises ConnectionFault."""
        change = initial_window - self.initial_window
        self.initial_window = initial_window
        for stream in streams:
            stream.window += change
            if stream.window > frames.MAX_WINDOW:
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "window_overflow")
            self._schedule(stream)

    def limit_frames(self, size: int) -> None:
        """The peer takes frames of up to `size` octets."""
        self._max_frame = min(size, MAX_SENT_FRAME)

    def _pass(self, response: bytes) -> None:
        self._control.append(response)
        self.passing += len(response)

    def _schedule(self, stream: Stream) -> None:
        if stream.queued and stream.window > 0 and not stream.ready:
            stream.ready = True
            self._ready.append(stream)

    def _frames(self, stream: Stream, limit: int, out: list[Buffer]) -> int:
        """Appends the next frames of a stream; returns the octets of their payloads, `limit` at most."""
        # A change of the client's settings may have left a window below zero.
        size = max(min(stream.queued, stream.window, self.window, limit), 0)
        stream.window -= size
        self.window -= size
        stream.queued -= size
        self.queued -= size
        number, most = stream.number, self._max_frame
        for left in range(size, 0, -most):
            length = min(most, left)
            out.append(pack_header(length >> 16, length & 0xFFFF, frames.DATA, 0, number))
            _move(stream.queue, length, out)
        if stream.trailers is not None and not stream.queued:
            block, stream.trailers = stream.trailers, None
            out.append(self._header_frames(stream, block, end=True))
            self._on_sent(stream)
        return size

    def _header_frames(self, stream: Stream, block: bytes, end: bool) -> bytes:
        if self._table_size:
            block, self._table_size = self._table_size + block, b""
        return frames.headers(stream.number, block, end=end, max_frame_size=self._max_frame)


def _move(queue: deque[Buffer] | None, size: int, out: list[Buffer]) -> None:
    """Moves `size` octets from the front of `queue` to `out`, without copying them."""
    while size and queue is not None:
        buffer = queue.popleft()
        length = len(buffer)
        if length > size:
            view = buffer if isinstance(buffer, memoryview) else memoryview(buffer)
            out.append(view[:size])
            queue.appendleft(view[size:])
            return
        out.append(buffer)
        size -= length
