"""Accepts every connection, finds out what it speaks, and hands it on (transport.md 1.1, daemon.md 2)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final, Protocol

import structlog

from gitaly_py.telemetry import metrics
from gitaly_py.telemetry.tasks import end_all, spawn
from gitaly_py.transport.connections import ConnectionInfo, Kind
from gitaly_py.transport.errors import ConnectFailed, HandshakeFailed
from gitaly_py.transport.listeners import Listener, joined_host_port
from gitaly_py.transport.relay import Engine
from gitaly_py.transport.tls import TLSWire
from gitaly_py.transport.wire import WIRE_ERRORS, SocketWire, Wire, receive_exactly
from gitaly_py.transport.yamux.driver import Driver
from gitaly_py.transport.yamux.session import Side

MAGIC: Final = b"backchannel"  # first bytes of a connection that is a yamux session

SESSION_WINDOW: Final = 16 << 20  # bytes a client may have in flight on one stream (transport.md 1.6)
SESSION_BACKLOG: Final = 1  # client streams beyond the first: accepted by nobody (1.4)

_TOO_SLOW: Final = "timeout"
_ACCEPT_BATCH: Final = 64
_ACCEPT_PAUSE: Final = 1.0  # seconds without accepting when the process has no descriptor left
_OTHERS_SECONDS: Final = 0.005  # that others get to accept a connection which is theirs
_KEEPALIVE_SECONDS: Final = 15
_UNIX_SEND_BUFFER: Final = 512 << 10
"""Bytes the kernel takes on a unix socket before the writer has to wait for the reader. Unlike TCP's, the
default never grows, and is full after a message or two of what git sends."""

_log = structlog.get_logger("gitaly")


def _ignore(_: Kind) -> None:
    """Counts nothing."""


class Share(Protocol):
    """What a front door asks about the connections of others who listen on the same sockets."""

    def is_mine(self) -> bool:
        """Whether the next connection is this process's to accept."""

    def hold(self, connections: int) -> None:
        """Tells the others how many connections are here."""

    def leave(self) -> None:
        """Nothing is accepted here any longer."""


class _Alone:
    """Nobody else listens."""

    def is_mine(self) -> bool:
        return True

    def hold(self, connections: int) -> None:
        pass

    def leave(self) -> None:
        pass


ALONE: Final[Share] = _Alone()


class FrontDoor:
    """The listening sockets of a process and the connections that came through them.

    engine: serves plain connections, and the first stream of multiplexed ones.
    on_connection: called with the kind of each accepted connection.
    handshake_timeout: seconds for TLS, the first bytes, and the first stream of a session.
    window: bytes a client may have in flight on each stream of a session.
    close_timeout: seconds until a stream of a session that the client does not close is aborted.
    share: of the connections that this process is to take.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        on_connection: Callable[[Kind], None] = _ignore,
        handshake_timeout: float = 120.0,
        window: int = SESSION_WINDOW,
        close_timeout: float = 300.0,
        share: Share = ALONE,
    ) -> None:
        self._engine = engine
        self._share = share
        self._on_connection = on_connection
        self._handshake_timeout = handshake_timeout
        self._window = window
        self._close_timeout = close_timeout
        self._listeners: list[Listener] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._greeting: set[asyncio.Task[Any]] = set()
        self._greeted = asyncio.Event()
        self.ended = 0
        """Connections that have ended so far."""

    @property
    def live(self) -> int:
        """Connections now."""
        return len(self._tasks)

    def listen(self, listener: Listener) -> None:
        """Accepts connections from `listener`, which the front door owns from now on."""
        self._listeners.append(listener)
        self._share.hold(self.live)
        self._watch(listener)

    async def stop(self, patience: float = 0.0) -> None:
        """Stops accepting; live connections go on.

        patience: seconds that those have which were accepted, but have not said yet what they speak: their
        clients believe to be connected. Those that still have not then end.
        """
        listeners, self._listeners = self._listeners, []
        self._share.leave()
        for listener in listeners:
            asyncio.get_running_loop().remove_reader(listener.socket.fileno())
            listener.socket.close()
        if self._greeting and patience > 0:
            self._greeted.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._greeted.wait(), patience)
        await end_all(self._greeting)

    async def wait_closed(self) -> None:
        """Waits until no connection is left."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Stops accepting and cuts the connections that are left."""
        await self.stop()
        await end_all(self._tasks)

    def _watch(self, listener: Listener) -> None:
        if listener in self._listeners:
            asyncio.get_running_loop().add_reader(listener.socket.fileno(), self._accept, listener)

    def _accept(self, listener: Listener) -> None:
        for _ in range(_ACCEPT_BATCH):
            if not self._share.is_mine():
                loop = asyncio.get_running_loop()
                loop.remove_reader(listener.socket.fileno())
                loop.call_later(_OTHERS_SECONDS, self._accept_anyway, listener)
                return
            if not self._accept_one(listener):
                return

    def _accept_anyway(self, listener: Listener) -> None:
        """Takes a connection that the others have left lying; they may be busy."""
        if listener in self._listeners:
            self._accept_one(listener)
        self._watch(listener)

    def _accept_one(self, listener: Listener) -> bool:
        """Whether there may be more."""
        try:
            sock, name = listener.socket.accept()
        except (BlockingIOError, InterruptedError):
            return False
        except ConnectionAbortedError:
            return True
        except OSError as error:
            self._pause(listener, error)
            return False
        self._on_connection(listener.kind)
        address = "@" if listener.kind == "unix" else joined_host_port(name)
        task = spawn(self._serve(sock, listener, address), name=f"connection {address}", owner=self._tasks)
        self._share.hold(self.live)
        task.add_done_callback(self._left)
        return True

    def _left(self, _: asyncio.Task[None]) -> None:
        if self._listeners:
            self._share.hold(self.live)

    def _pause(self, listener: Listener, error: OSError) -> None:
        """What is wrong may pass (no descriptors, no memory), and the socket stays readable meanwhile."""
        _log.error("accept failed", address=listener.address, error=str(error))
        loop = asyncio.get_running_loop()
        loop.remove_reader(listener.socket.fileno())
        loop.call_later(_ACCEPT_PAUSE, self._watch, listener)

    async def _serve(self, sock: socket.socket, listener: Listener, address: str) -> None:
        log = _log.bind(type=listener.kind, remote_address=address)
        _tune(sock, listener.kind)
        wire: Wire = SocketWire(sock)
        if listener.tls is not None:
            wire = TLSWire(wire, listener.tls, server_side=True)
        try:
            await self._greet(wire, ConnectionInfo(listener.kind, address))
        except HandshakeFailed as error:
            reason = "handshake_timeout" if error.reason == _TOO_SLOW else "handshake_failed"
            metrics.rpc_connection_faults.labels(reason).inc()
            log.warning("connection dropped", error=str(error))
        except ConnectFailed as error:
            log.error("engine not reached", error=str(error))
        except WIRE_ERRORS as error:
            log.debug("connection broken", error=str(error))
        except asyncio.CancelledError:
            wire.abort()
            raise
        finally:
            wire.close()
            self.ended += 1

    async def _greet(self, wire: Wire, info: ConnectionInfo) -> None:
        deadline = asyncio.get_running_loop().time() + self._handshake_timeout
        with self._as_greeting():
            async with _until(deadline):
                if isinstance(wire, TLSWire):
                    await wire.handshake()
                first = await receive_exactly(wire, len(MAGIC))
        if first == MAGIC:
            await self._serve_session(wire, info, deadline)
        elif len(first) == len(MAGIC):
            await self._engine(wire, first, info)

    async def _serve_session(self, wire: Wire, info: ConnectionInfo, deadline: float) -> None:
        session = Driver(
            wire,
            Side.SERVER,
            window=self._window,
            backlog=SESSION_BACKLOG,
            close_timeout=self._close_timeout,
        )
        session.start()
        try:
            with self._as_greeting():
                async with _until(deadline):
                    stream = await session.accept()
            await self._engine(stream, b"", ConnectionInfo(info.kind, info.address, session))
        except asyncio.CancelledError:
            session.abort("connection cut")
            raise
        finally:
            session.close()
            if session.violation:
                _log.warning("protocol violation", remote_address=info.address, error=str(session.failure))
        await session.wait_closed()

    @contextlib.contextmanager
    def _as_greeting(self) -> Iterator[None]:
        """While the block runs, nothing is lost if this connection ends."""
        task = asyncio.current_task()
        assert task is not None
        self._greeting.add(task)
        try:
            yield
        finally:
            self._greeting.discard(task)
            if not self._greeting:
                self._greeted.set()


@contextlib.asynccontextmanager
async def _until(deadline: float) -> AsyncIterator[None]:
    """Limits what a client may take for its handshake. Raises HandshakeFailed."""
    timeout = asyncio.timeout_at(deadline)
    try:
        async with timeout:
            yield
    except TimeoutError as error:
        if not timeout.expired():
            raise
        raise HandshakeFailed(_TOO_SLOW) from error


def _tune(sock: socket.socket, kind: Kind) -> None:
    if kind == "unix":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _UNIX_SEND_BUFFER)
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_SECONDS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_SECONDS)
