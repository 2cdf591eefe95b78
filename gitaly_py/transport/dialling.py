"""Connecting to an address as clients write it (clients.md 0.1)."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any, Final

from gitaly_py.transport.errors import AddressError, ConnectFailed
from gitaly_py.transport.listeners import client_tls, split_host_port
from gitaly_py.transport.tls import TLSWire
from gitaly_py.transport.wire import SocketWire, Wire

_UNIX: Final = "unix:"
_TCP: Final = "tcp://"
_TLS: Final = "tls://"


async def dialled(address: str, context: ssl.SSLContext | None = None, timeout: float = 10.0) -> Wire:
    """A wire to `unix:/path`, `unix:///path`, `tcp://host:port` or `tls://host:port`.

    context: for tls; the system's authorities by default. timeout: seconds for all of it.
    Raises AddressError, ConnectFailed, HandshakeFailed.
    """
    try:
        async with asyncio.timeout(timeout):
            if address.startswith(_UNIX):
                path = address.removeprefix(_UNIX)
                return SocketWire(await _connected(socket.AF_UNIX, path.removeprefix("//")))
            if address.startswith(_TCP):
                return SocketWire(await _connected_host(*split_host_port(address.removeprefix(_TCP))))
            if address.startswith(_TLS):
                host, port = split_host_port(address.removeprefix(_TLS))
                return await _encrypted(await _connected_host(host, port), host, context or client_tls())
    except OSError as error:
        raise ConnectFailed(address, str(error) or "timeout") from error
    raise AddressError(address)


async def _connected_host(host: str, port: int) -> socket.socket:
    failure: OSError | None = None
    for family, _, _, _, name in await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    ):
        try:
            sock = await _connected(socket.AddressFamily(family), name)
        except OSError as error:
            failure = error
        else:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
    raise failure or OSError("no address")


async def _connected(family: socket.AddressFamily, name: str | tuple[Any, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, name)
    except BaseException:
        sock.close()
        raise
    return sock


async def _encrypted(sock: socket.socket, host: str, context: ssl.SSLContext) -> Wire:
    wire = TLSWire(SocketWire(sock), context, server_side=False, server_hostname=host)
    try:
        await wire.handshake()
    except BaseException:
        wire.close()
        raise
    return wire
