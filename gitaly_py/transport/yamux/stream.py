"""One stream of a session, for callers: awaitable calls, and the non-blocking face of a Wire."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from gitaly_py.transport.errors import StreamClosed, StreamReset, TransportError
from gitaly_py.transport.wire import Buffer, Callback, receive
from gitaly_py.transport.yamux.sources import BytesSource, FileSource, PipeSource, Source

if TYPE_CHECKING:
    from gitaly_py.transport.yamux.driver import Driver

READ_LIMIT: Final = 262144
GATHER_BYTES: Final = 65536  # pieces are put together up to here; beyond it copying costs more than it saves


class Stream:
    """A duplex stream, made by `Driver.open` and `Driver.accept`; it is a Wire as well.

    One reader and one writer at a time. What arrives is kept, at most a window of it, until it is read or
    `discard` is called, so a stream that nobody reads holds up no other.
    """

    splice_fd: Final = None  # bodies must be framed: see send_file and send_pipe

    def __init__(self, driver: Driver, number: int) -> None:
        self.number = number
        self._driver = driver
        self._chunks: deque[bytes] = deque()
        self._offset = 0  # into the first chunk
        self._ended = False  # the peer's FIN came
        self._closed = False  # our FIN went
        self._discarding = False
        self._error: TransportError | None = None
        self._on_readable: Callback | None = None
        self._on_writable: Callback | None = None
        self._woken: asyncio.Handle | None = None
        self._source: Source | None = None
        self._sent: asyncio.Future[None] | None = None

    async def read(self, limit: int = READ_LIMIT) -> bytes:
        """Waits for 1 to `limit` bytes; b"" when the peer sends no more.

        Raises StreamReset, and SessionClosed when the peer vanished without ending the stream.
        """
        return await receive(self, limit)

    async def write(self, data: Buffer) -> None:
        """Sends `data`, which must not change meanwhile; returns once the kernel has all of it.

        Waits for the peer's credit. Raises StreamClosed, StreamReset, SessionClosed.
        """
        await self._transfer(BytesSource(data))

    async def write_soon(self, data: bytes) -> None:
        """As `write`, for a few bytes that may wait for the end of this turn, to leave with what follows."""
        self._check_writable()
        if self._source is not None or not self._driver.queue(self, data):
            await self.write(data)

    async def send_file(self, fd: int, offset: int, length: int) -> None:
        """Sends a range of a file, from the page cache where the connection allows it.

        The range must exist: a file that ends within it breaks the session. Raises as `write`, and OSError.
        """
        await self._transfer(FileSource(fd, offset, length))

    async def send_pipe(self, fd: int) -> int:
        """Sends what comes out of a pipe until its end; returns how many bytes that was.

        The caller keeps `fd` and closes it; it is not used any more after this returns or raises.
        Raises as `write`, and OSError.
        """
        source = PipeSource(fd)
        await self.send_source(source)
        return source.sent

    async def send_source(self, source: Source) -> None:
        """Sends what a source gives until it is done; it is not used any more after this returns or raises.

        Raises as `write`, and what the source raises.
        """
        try:
            await self._transfer(source)
        finally:
            source.wait(None)

    def close(self) -> None:
        """Sends FIN: no more writes. Reading goes on until the peer's FIN, or until the close timeout
        of the session aborts the stream (transport.md 1.4). A write in progress fails with StreamClosed.
        """
        if self._closed:
            return
        self._closed = True
        self._end_write(StreamClosed())
        if self._error is None:
            self._driver.close_stream(self, awaits_peer=not self._ended)

    def discard(self) -> None:
        """Throws away what was received and what still comes, so that the peer's writes are not held up."""
        self._discarding = True
        size = sum(map(len, self._chunks)) - self._offset
        self._chunks.clear()
        self._offset = 0
        if size:
            self._driver.consumed(self, size)

    def reset(self) -> None:
        """Aborts both directions; the peer loses what it has not read yet."""
        if self._error is None:
            self._driver.reset_stream(self)

    def recv(self, limit: int) -> bytes:
        """See Wire."""
        if not self._chunks:
            if self._ended:
                return b""
            if self._error is not None:
                raise self._error.with_traceback(None)
            raise BlockingIOError
        data = self._taken(limit)
        self._driver.consumed(self, len(data))
        return data

    def send(self, data: Buffer, *, more: bool = False) -> int:  # noqa: ARG002 - frames are not gathered
        """See Wire. `data` must not change afterwards."""
        self._check_writable()
        return self._driver.send_now(self, memoryview(data))

    def send_many(self, buffers: Sequence[Buffer]) -> int:
        """See Wire. They travel in one frame."""
        return self.send(b"".join(buffers))

    def watch_readable(self, callback: Callback | None) -> None:
        """See Wire."""
        before, self._on_readable = self._on_readable, callback
        if before is None and callback is not None and self._is_readable():
            self._wake_reader_soon()

    def watch_writable(self, callback: Callback | None) -> None:
        """See Wire."""
        self._on_writable = callback
        if callback is None:
            return
        if self._closed or self._error:
            self._driver.loop.call_soon(self.wake_writer)
        else:
            self._driver.schedule(self)

    def shutdown_write(self) -> None:
        """See Wire."""
        self.close()

    def abort(self) -> None:
        """See Wire."""
        self.reset()

    # What follows is the driver's side.

    @property
    def source(self) -> Source | None:
        """What is being sent."""
        return self._source

    @property
    def wants_to_write(self) -> bool:
        """There is a source, or somebody to be called when a frame can be sent."""
        return self._source is not None or self._on_writable is not None

    def received(self, data: bytes) -> bool:
        """Keeps what has arrived; False when it is not wanted."""
        if self._discarding:
            return False
        self._chunks.append(data)
        return True

    def ended(self) -> None:
        """The peer's FIN has arrived."""
        self._ended = True

    def lost(self, error: TransportError) -> None:
        """The stream is over; what was received before can still be read unless it was reset."""
        if self._error is not None:
            return
        self._error = error
        if isinstance(error, StreamReset):
            self._chunks.clear()
            self._ended = False
        self._end_write(error)
        self.wake_reader()
        self.wake_writer()

    def source_done(self) -> None:
        """The source is done."""
        self._source = None
        if self._sent is not None and not self._sent.done():
            self._sent.set_result(None)

    def source_failed(self, error: Exception) -> None:
        """The source could not say what it has."""
        self._source = None
        if self._sent is not None and not self._sent.done():
            self._sent.set_exception(error)

    def wake_reader(self) -> None:
        """Calls whoever waits to read."""
        if self._on_readable is not None and self._is_readable():
            self._on_readable()
            if self._on_readable is not None and self._is_readable():
                self._wake_reader_soon()

    def wake_writer(self) -> None:
        """Calls whoever waits to write."""
        if self._on_writable is not None:
            self._on_writable()

    def _is_readable(self) -> bool:
        return bool(self._chunks or self._ended or self._error)

    def _wake_reader_soon(self) -> None:
        if self._woken is None:
            self._woken = self._driver.loop.call_soon(self._wake_reader_now)

    def _wake_reader_now(self) -> None:
        self._woken = None
        self.wake_reader()

    def _taken(self, limit: int) -> bytes:
        """Up to `limit` bytes; small pieces are put together, large ones given as they came."""
        if len(self._chunks) == 1 and not self._offset and len(self._chunks[0]) <= limit:
            return self._chunks.popleft()
        parts, size, most = [], 0, min(limit, GATHER_BYTES)
        while self._chunks and size < most:
            chunk = self._chunks[0]
            end = self._offset + limit - size
            part = chunk[self._offset : end] if self._offset or end < len(chunk) else chunk
            if end < len(chunk):
                self._offset = end
            else:
                self._chunks.popleft()
                self._offset = 0
            parts.append(part)
            size += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _transfer(self, source: Source) -> None:
        self._check_writable()
        if self._source is not None:
            raise RuntimeError("another write is in progress")
        self._source = source
        self._sent = asyncio.get_running_loop().create_future()
        self._driver.schedule(self)
        try:
            await self._sent
        except asyncio.CancelledError:
            self._driver.detach(self)
            raise
        finally:
            self._source = self._sent = None

    def _check_writable(self) -> None:
        if self._error is not None:
            raise self._error.with_traceback(None)
        if self._closed:
            raise StreamClosed

    def _end_write(self, error: TransportError) -> None:
        if self._source is not None:
            self._driver.detach(self)
            self.source_failed(error)
