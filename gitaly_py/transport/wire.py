"""Duplex byte streams that never block: what sockets, TLS connections and yamux streams have in common."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from typing import Protocol

from gitaly_py.transport.errors import TransportError

Buffer = bytes | bytearray | memoryview
MAX_BUFFERS = 1024  # IOV_MAX, what one system call takes
Callback = Callable[[], None]

WIRE_ERRORS = (OSError, TransportError)  # what recv and send of a dead wire raise


class Wire(Protocol):
    """A duplex byte stream without waiting: the caller asks to be called back instead.

    A callback is called, from the event loop, each time something can be done, until it is replaced or
    taken away with None; it must do something each time. One reader and one writer at a time.
    """

    @property
    def splice_fd(self) -> int | None:
        """The descriptor into which the kernel may move bytes itself, or None where there is none."""

    def recv(self, limit: int) -> bytes:
        """Returns 1 to `limit` bytes, or b"" when the peer sends no more.

        Raises BlockingIOError when there is nothing yet; one of WIRE_ERRORS when the wire is dead.
        """

    def send(self, data: Buffer, *, more: bool = False) -> int:
        """Takes some of `data` and returns how much; `more` says that further data follows at once.

        Raises BlockingIOError when nothing is taken now; one of WIRE_ERRORS when the wire is dead.
        """

    def send_many(self, buffers: Sequence[Buffer]) -> int:
        """As `send`, for several buffers that follow each other."""

    def watch_readable(self, callback: Callback | None) -> None:
        """Calls `callback` whenever `recv` has something to give (data, end or error)."""

    def watch_writable(self, callback: Callback | None) -> None:
        """Calls `callback` whenever `send` would take something or raise an error."""

    def shutdown_write(self) -> None:
        """Ends our direction; what was sent still arrives."""

    def close(self) -> None:
        """Lets go of the wire; what `send` has taken is still delivered, if the peer lets it."""

    def abort(self) -> None:
        """Lets go of the wire at once."""


class SocketWire:
    """A wire over a connected, non-blocking stream socket, which it owns.

    uvloop calls back once for a socket with a pending error and then lets go of it, though there may be
    data to read before the error. So the error is looked for after each callback, and from then on the
    callbacks are called without the loop's poll.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._fd = sock.fileno()
        self._loop = asyncio.get_running_loop()
        self._error: OSError | None = None
        self._called: asyncio.Handle | None = None
        self._readable: Callback | None = None
        self._writable: Callback | None = None

    @property
    def splice_fd(self) -> int | None:
        """The socket's descriptor."""
        return self._fd

    def recv(self, limit: int) -> bytes:
        """See Wire."""
        data = self._sock.recv(limit)
        if not data and self._error is not None:
            raise self._error.with_traceback(None)
        return data

    def send(self, data: Buffer, *, more: bool = False) -> int:
        """See Wire."""
        return self._sock.send(data, socket.MSG_MORE if more else 0)

    def send_many(self, buffers: Sequence[Buffer]) -> int:
        """See Wire."""
        return self._sock.sendmsg(buffers[:MAX_BUFFERS])

    def watch_readable(self, callback: Callback | None) -> None:
        """See Wire."""
        before, self._readable = self._readable, callback
        if (before is None) == (callback is None) or self._fd < 0:
            return
        if self._error is not None:
            self._call_soon()
        elif callback is None:
            self._loop.remove_reader(self._fd)
        else:
            self._loop.add_reader(self._fd, self._call_reader)

    def watch_writable(self, callback: Callback | None) -> None:
        """See Wire."""
        before, self._writable = self._writable, callback
        if (before is None) == (callback is None) or self._fd < 0:
            return
        if self._error is not None:
            self._call_soon()
        elif callback is None:
            self._loop.remove_writer(self._fd)
        else:
            self._loop.add_writer(self._fd, self._call_writer)

    def shutdown_write(self) -> None:
        """See Wire. Raises OSError when the peer is gone already."""
        self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """See Wire."""
        if self._fd < 0:
            return
        self.watch_readable(None)
        self.watch_writable(None)
        self._fd = -1
        self._sock.close()

    def abort(self) -> None:
        """See Wire."""
        self.close()

    def _call_reader(self) -> None:
        if self._readable is not None:
            self._readable()
        self._check()

    def _call_writer(self) -> None:
        if self._writable is not None:
            self._writable()
        self._check()

    def _check(self) -> None:
        if self._error is not None or (self._readable is None and self._writable is None):
            return
        code = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._error = OSError(code, os.strerror(code))
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
            self._call_soon()

    def _call_soon(self) -> None:
        if self._called is None:
            self._called = self._loop.call_soon(self._call_all)

    def _call_all(self) -> None:
        self._called = None
        for callback in (self._readable, self._writable):
            if callback is not None:
                callback()
        if self._readable is not None or self._writable is not None:
            self._call_soon()


async def readable(wire: Wire) -> None:
    """Waits until `recv` has something to give."""
    await _called(wire.watch_readable)


async def writable(wire: Wire) -> None:
    """Waits until `send` takes something."""
    await _called(wire.watch_writable)


async def _called(watch: Callable[[Callback | None], None]) -> None:
    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def arrived() -> None:
        watch(None)
        if not waiter.done():
            waiter.set_result(None)

    watch(arrived)
    try:
        await waiter
    finally:
        watch(None)


async def receive(wire: Wire, limit: int) -> bytes:
    """Waits for 1 to `limit` bytes; b"" when the peer sends no more. Raises WIRE_ERRORS."""
    while True:
        try:
            return wire.recv(limit)
        except BlockingIOError:
            await readable(wire)


async def receive_exactly(wire: Wire, size: int) -> bytes:
    """Waits for `size` bytes; returns fewer when the peer ends before. Raises WIRE_ERRORS."""
    data = b""
    while len(data) < size and (part := await receive(wire, size - len(data))):
        data += part
    return data


async def send_all(wire: Wire, data: Buffer) -> None:
    """Waits until all of `data` is taken. Raises WIRE_ERRORS."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[wire.send(rest) :]
        except BlockingIOError:
            await writable(wire)
