"""The way to an RPC engine on a private socket: bytes copied between two wires, both ways."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Awaitable, Callable
from typing import Final

from gitaly_py.transport.connections import ConnectionInfo, Connections
from gitaly_py.transport.errors import ConnectFailed
from gitaly_py.transport.wire import WIRE_ERRORS, SocketWire, Wire

RELAY_BYTES: Final = 262144  # held at most in each direction
LINGER_SECONDS: Final = 1.0  # for the client to close its end when the server has closed its own
_RETRY_INTERVAL: Final = 0.01  # seconds between attempts while the engine's accept queue is full

# Serves one connection until it ends: the wire (a socket, TLS, or the first stream of a session), bytes
# already read from it, and whose it is. Raises WIRE_ERRORS when the connection breaks.
Engine = Callable[[Wire, bytes, ConnectionInfo], Awaitable[None]]


class _Direction:
    """From `source` to `sink`. Reads on only once the sink has taken everything.

    done: called when the source has ended or failed. refused: called when the sink takes no more; what
    still comes is thrown away then.
    """

    def __init__(
        self,
        source: Wire,
        sink: Wire,
        done: Callable[[Exception | None], None],
        refused: Callable[[Exception], None],
    ) -> None:
        self._source = source
        self._sink = sink
        self._done = done
        self._refused = refused
        self._dropping = False
        self._rest = memoryview(b"")

    def start(self, first: bytes) -> None:
        """Begins with bytes that were read from the source before."""
        self._rest = memoryview(first)
        self._deliver()

    def _receive(self) -> None:
        try:
            data = self._source.recv(RELAY_BYTES)
        except BlockingIOError:
            return
        except WIRE_ERRORS as error:
            self._source.watch_readable(None)
            self._done(error)
            return
        if not data:
            self._source.watch_readable(None)
            self._end()
        elif not self._dropping:
            self._rest = memoryview(data)
            self._deliver()

    def _deliver(self) -> None:
        try:
            while self._rest:
                self._rest = self._rest[self._sink.send(self._rest) :]
        except BlockingIOError:
            self._source.watch_readable(None)
            self._sink.watch_writable(self._deliver)
            return
        except WIRE_ERRORS as error:
            self._drop(error)
        self._sink.watch_writable(None)
        self._source.watch_readable(self._receive)

    def _end(self) -> None:
        if not self._dropping:
            try:
                self._sink.shutdown_write()
            except WIRE_ERRORS as error:
                self._drop(error)
        self._done(None)

    def _drop(self, error: Exception) -> None:
        self._dropping = True
        self._rest = memoryview(b"")
        self._refused(error)


class _Ends:
    """What the two directions have come to."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.over: asyncio.Future[None] = loop.create_future()
        self.client_over: asyncio.Future[None] = loop.create_future()

    def server_done(self, error: Exception | None) -> None:
        """The server has ended, or a wire failed."""
        if self.over.done():
            return
        if error is None:
            self.over.set_result(None)
        else:
            self.over.set_exception(error)

    def client_done(self, error: Exception | None) -> None:
        """The client has ended, after which the server may still answer, or is gone."""
        if not self.client_over.done():
            self.client_over.set_result(None)
        if error is not None:
            self.server_done(error)

    def server_refused(self, _: Exception) -> None:
        """It may have said something before it closed, such as its last answer, and that must arrive."""


async def relay(client: Wire, server: Wire, *, first: bytes = b"") -> None:
    """Copies until the server's side ended or a wire failed; then both wires are closed.

    first: bytes already read from `client`. The client's end is passed on, and the server may still answer.
    Each side is read only as fast as the other takes it. When the server has ended, the client has a moment
    to end, too: whoever still sends when the connection closes may lose what it has not read yet.
    Raises one of WIRE_ERRORS when a wire failed.
    """
    ends = _Ends()
    try:
        _Direction(client, server, ends.client_done, ends.server_refused).start(first)
        _Direction(server, client, ends.server_done, ends.server_done).start(b"")
        await ends.over
        await asyncio.wait({ends.client_over}, timeout=LINGER_SECONDS)
    finally:
        for wire in (client, server):
            wire.watch_readable(None)
            wire.watch_writable(None)
            wire.close()


class RelayEngine:
    """Relays connections to an engine that listens on a private unix socket (transport.md 1.12).

    Our end of each relay has a unique abstract name, which the engine reports as its peer, so `connections`
    can tell a handler where its call came from.

    path: the engine's socket, in a folder nobody else may enter.
    """

    def __init__(self, path: str, connections: Connections) -> None:
        self._path = path
        self._connections = connections

    async def __call__(self, wire: Wire, first: bytes, info: ConnectionInfo) -> None:
        """See Engine. Raises ConnectFailed when the engine can't be reached."""
        name = f"gitaly-{os.getpid()}-{secrets.token_hex(16)}"
        peer = f"unix-abstract:{name}"
        self._connections.add(peer, info)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                sock.setblocking(False)
                sock.bind(f"\0{name}")
                await self._connect(sock)
                await relay(wire, SocketWire(sock), first=first)
        finally:
            self._connections.remove(peer)

    async def _connect(self, sock: socket.socket) -> None:
        while True:
            try:
                return sock.connect(self._path)
            except BlockingIOError:
                await asyncio.sleep(_RETRY_INTERVAL)
            except OSError as error:
                raise ConnectFailed(self._path, str(error)) from error
