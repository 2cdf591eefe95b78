"""The client's end of multiplexed connections: one gRPC channel and any number of side channels.

Used where we are a client ourselves: the gateway, node to node, tests (transport.md 1.6, 1.7, 1.11).
"""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import socket
import ssl
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Final, Self

import grpc.aio
import structlog

from gitaly_py.telemetry.tasks import end_all, spawn
from gitaly_py.transport.dialling import dialled
from gitaly_py.transport.errors import CallbackNotRun, ConnectFailed, SessionClosed, StreamClosed
from gitaly_py.transport.framing import END, framed
from gitaly_py.transport.frontdoor import MAGIC as BACKCHANNEL_MAGIC
from gitaly_py.transport.relay import relay
from gitaly_py.transport.sidechannel import CONFIRMATION, ID, METADATA_KEY
from gitaly_py.transport.sidechannel import MAGIC as SIDECHANNEL_MAGIC
from gitaly_py.transport.wire import WIRE_ERRORS, Buffer, SocketWire, Wire, receive_exactly, send_all
from gitaly_py.transport.yamux.driver import Driver
from gitaly_py.transport.yamux.frames import INITIAL_WINDOW
from gitaly_py.transport.yamux.session import Side
from gitaly_py.transport.yamux.stream import READ_LIMIT, Stream

CLOSE_TIMEOUT: Final = 1.0  # seconds until a side channel the server does not close is aborted (1.6)
CONFIRM_TIMEOUT: Final = 5.0  # seconds for writing the confirmation (1.7)
DIAL_TIMEOUT: Final = 10.0

# The channel's connection can't be made anew, so it must not be given up for being idle.
CHANNEL_OPTIONS: Final[tuple[tuple[str, Any], ...]] = (
    ("grpc.client_idle_timeout_ms", 2**31 - 1),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.use_local_subchannel_pool", 1),
)

_ids = itertools.count()  # process-wide, from 0 (1.7)
_log = structlog.get_logger("gitaly")


class ClientSidechannel:
    """What a callback gets: framed writes, raw reads (transport.md 1.8). Closed when the callback ends."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._ended = False

    async def write(self, data: Buffer) -> None:
        """Sends `data` in frames. Raises StreamClosed after `close_write`, StreamReset, SessionClosed."""
        if self._ended:
            raise StreamClosed
        if data:
            await self._stream.write(framed(data))

    async def close_write(self) -> None:
        """Tells the server that no more data comes. Raises as `write`."""
        if not self._ended:
            self._ended = True
            await self._stream.write(END)

    async def read(self, limit: int = READ_LIMIT) -> bytes:
        """Waits for 1 to `limit` raw bytes; b"" once the server has ended.

        Raises StreamReset, SessionClosed.
        """
        return await self._stream.read(limit)


SidechannelCallback = Callable[[ClientSidechannel], Awaitable[None]]


class Registration:
    """A side channel a call may ask for, once. Leaving its `with` block forgets it if it was not opened.

    id: for the call. metadata: the call's entry that names the id.
    """

    def __init__(self, callback: SidechannelCallback, waiters: dict[int, Registration]) -> None:
        self.id = next(_ids)
        self.metadata = (METADATA_KEY, str(self.id))
        self._callback = callback
        self._waiters = waiters
        self._result: asyncio.Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.cancel()

    @property
    def called(self) -> bool:
        """The server has opened the side channel."""
        return self._result is not None

    def cancel(self) -> None:
        """Refuses the side channel from now on; one that is open goes on."""
        self._waiters.pop(self.id, None)

    async def wait(self) -> None:
        """After the call has succeeded: waits until the callback has ended, and raises what it raised.

        Raises CallbackNotRun when the server has not opened the side channel.
        """
        if self._result is None:
            raise CallbackNotRun
        await asyncio.shield(self._result)

    async def run(self, stream: Stream) -> None:
        """Confirms the side channel and runs the callback, whose error goes to `wait`."""
        self._result = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(CONFIRM_TIMEOUT):
                await stream.write(CONFIRMATION)
            await self._callback(ClientSidechannel(stream))
        except asyncio.CancelledError:
            self._result.set_exception(SessionClosed("connection closed"))
            raise
        except Exception as error:  # noqa: BLE001 - not ours to judge: whoever waits gets it
            self._result.set_exception(error)
        else:
            self._result.set_result(None)
        finally:
            # Nobody need wait; then the error is nobody's, and no warning is due.
            self._result.exception()


class MultiplexedConnection:
    """A multiplexed connection to a server, made by `dial`. Use it as an async context manager.

    The gRPC channel reaches the server through a private unix socket that takes one connection and is gone
    once it has been used, so a connection has one channel. When the server is gone the channel fails and
    a new connection must be dialled.
    """

    def __init__(self, wire: Wire, window: int) -> None:
        self._session = Driver(wire, Side.CLIENT, window=window, close_timeout=CLOSE_TIMEOUT)
        self._waiters: dict[int, Registration] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._channel: grpc.aio.Channel | None = None
        self._folder = tempfile.mkdtemp(prefix="gitaly-")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._socket.bind(self._path)
        self._socket.listen(1)

    @classmethod
    async def dial(
        cls,
        address: str,
        *,
        ssl_context: ssl.SSLContext | None = None,
        window: int = INITIAL_WINDOW,
        timeout: float = DIAL_TIMEOUT,
    ) -> Self:
        """Connects to `unix:/path`, `tcp://host:port` or `tls://host:port`.

        ssl_context: for tls; the system's authorities by default. window: bytes the server may have in
        flight on each stream. timeout: seconds. Raises AddressError, ConnectFailed, HandshakeFailed.
        """
        wire = await dialled(address, ssl_context, timeout)
        try:
            await send_all(wire, BACKCHANNEL_MAGIC)
        except WIRE_ERRORS as error:
            wire.close()
            raise ConnectFailed(address, str(error)) from error
        connection = cls(wire, window)
        await connection.start()
        return connection

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def target(self) -> str:
        """What a gRPC channel connects to; good for one channel."""
        return f"unix:{self._path}"

    @property
    def alive(self) -> bool:
        """Calls can be made; False once the connection is gone."""
        return self._session.failure is None

    def channel(self, options: Sequence[tuple[str, Any]] = ()) -> grpc.aio.Channel:
        """The connection's channel, closed with it. options: further ones, used by the first call only."""
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(self.target, options=(*CHANNEL_OPTIONS, *options))
        return self._channel

    def register(self, callback: SidechannelCallback) -> Registration:
        """Awaits a side channel: `callback` is run when the server opens it, in the course of a call."""
        registration = Registration(callback, self._waiters)
        self._waiters[registration.id] = registration
        return registration

    async def start(self) -> None:
        """Opens the gRPC stream and begins to accept side channels. Called by `dial`."""
        self._session.start()
        stream = await self._session.open()
        spawn(self._serve_channel(stream), name="multiplexed channel", owner=self._tasks)
        spawn(self._accept(), name="sidechannel accept", owner=self._tasks)

    async def wait_closed(self) -> None:
        """Waits until the connection is gone, whoever ended it."""
        await self._session.wait_closed()

    async def close(self) -> None:
        """Closes the channel and the connection; callbacks that still run are cancelled."""
        if self._channel is not None:
            await self._channel.close()
        self._session.close()
        await end_all(self._tasks)
        await self._session.wait_closed()
        self._close_socket()

    @property
    def _path(self) -> str:
        return os.path.join(self._folder, "grpc")

    def _close_socket(self) -> None:
        self._socket.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _serve_channel(self, stream: Stream) -> None:
        try:
            sock, _ = await asyncio.get_running_loop().sock_accept(self._socket)
            self._close_socket()
            await relay(SocketWire(sock), stream)
        except WIRE_ERRORS as error:
            _log.debug("multiplexed connection broken", error=str(error))
        finally:
            self._session.close()

    async def _accept(self) -> None:
        while True:
            try:
                stream = await self._session.accept()
            except SessionClosed:
                return
            spawn(self._serve_stream(stream), name=f"sidechannel stream {stream.number}", owner=self._tasks)

    async def _serve_stream(self, stream: Stream) -> None:
        try:
            registration = await self._registration(stream)
            if registration is not None:
                await registration.run(stream)
        except WIRE_ERRORS as error:
            _log.debug("sidechannel broken", error=str(error))
        finally:
            stream.discard()
            stream.close()

    async def _registration(self, stream: Stream) -> Registration | None:
        if await receive_exactly(stream, len(SIDECHANNEL_MAGIC)) != SIDECHANNEL_MAGIC:
            return None
        number = await receive_exactly(stream, ID.size)
        return self._waiters.pop(ID.unpack(number)[0], None) if len(number) == ID.size else None
