"""Pairs of connected wires and sessions, and what tests ask of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

from gitaly_py.transport.errors import TransportError
from gitaly_py.transport.tls import TLSWire
from gitaly_py.transport.wire import SocketWire, Wire
from gitaly_py.transport.yamux.driver import Driver
from gitaly_py.transport.yamux.session import Side
from gitaly_py.transport.yamux.stream import Stream
from tests.support.certificates import self_signed

HOST = "localhost"


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected TCP sockets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname())
        other, _ = listener.accept()
    return one, other


def tls_contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of a client and of a server that trust each other."""
    certificate, key = self_signed(HOST)
    client = ssl.create_default_context(cadata=certificate.decode())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with memory_file(certificate) as chain, memory_file(key) as private:
        server.load_cert_chain(chain, private)
    return client, server


@contextlib.contextmanager
def memory_file(data: bytes) -> Iterator[str]:
    """The path of a file that exists only here."""
    fd = os.memfd_create("test")
    try:
        os.write(fd, data)
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


async def wires(kind: str) -> tuple[Wire, Wire]:
    """Two connected wires, client and server, over `unix`, `tcp` or `tls`."""
    one, other = socket.socketpair() if kind == "unix" else tcp_pair()
    if kind != "tls":
        return SocketWire(one), SocketWire(other)
    client_context, server_context = tls_contexts()
    client = TLSWire(SocketWire(one), client_context, server_side=False, server_hostname=HOST)
    server = TLSWire(SocketWire(other), server_context, server_side=True)
    await asyncio.gather(client.handshake(), server.handshake())
    return client, server


@dataclass
class Sessions:
    """Both ends of a session."""

    client: Driver
    server: Driver

    async def stream(self) -> tuple[Stream, Stream]:
        """A new stream: the client's end, and the server's."""
        opened = await self.client.open()
        return opened, await self.server.accept()


@contextlib.asynccontextmanager
async def sessions(
    kind: str = "unix", *, window: int = 262144, close_timeout: float = 300.0
) -> AsyncIterator[Sessions]:
    """Two sessions that talk to each other."""
    one, other = await wires(kind)
    pair = Sessions(
        Driver(one, Side.CLIENT, window=window, close_timeout=close_timeout),
        Driver(other, Side.SERVER, window=window, close_timeout=close_timeout),
    )
    pair.client.start()
    pair.server.start()
    try:
        yield pair
    finally:
        for driver in (pair.client, pair.server):
            driver.abort("test over")


async def read_all(stream: Any) -> bytes:
    """What comes until the end."""
    parts = []
    while data := await stream.read():
        parts.append(data)
    return b"".join(parts)


async def failure(coroutine: Any) -> TransportError:
    """The transport error a coroutine raises."""
    try:
        await coroutine
    except TransportError as error:
        return error
    raise AssertionError("nothing was raised")


async def settled() -> None:
    """Lets everything happen that is due now."""
    for _ in range(20):
        await asyncio.sleep(0.001)
