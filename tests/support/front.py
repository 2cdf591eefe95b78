"""A front door with a small gRPC server behind it, for tests of connections and side channels."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health

from gitaly_py.transport.client import MultiplexedConnection
from gitaly_py.transport.connections import ConnectionInfo, Connections
from gitaly_py.transport.errors import OpenFailed, TransportError
from gitaly_py.transport.frontdoor import FrontDoor
from gitaly_py.transport.listeners import listen_tcp, listen_unix, server_tls
from gitaly_py.transport.relay import RelayEngine
from gitaly_py.transport.sidechannel import Sidechannel, open_sidechannel
from tests.support.certificates import self_signed

HOST = "localhost"
METHOD = "/test.Test/Call"


def _same(value: bytes) -> bytes:
    return value


@dataclass
class Front:
    """What a test needs to talk to the front door.

    serve: what the unary test method does with its side channel; the call's answer is what it returns.
    """

    door: FrontDoor
    connections: Connections
    addresses: dict[str, str]
    certificate: bytes
    counted: list[str]
    infos: list[ConnectionInfo | None] = field(default_factory=list)
    serve: Callable[[Sidechannel], Awaitable[bytes]] | None = None

    def client_context(self) -> ssl.SSLContext:
        """Trusts the front door's certificate."""
        return ssl.create_default_context(cadata=self.certificate.decode())

    async def dial(self, kind: str, **options: Any) -> MultiplexedConnection:
        """A multiplexed connection."""
        return await MultiplexedConnection.dial(
            self.addresses[kind], ssl_context=self.client_context(), **options
        )

    def plain(self, kind: str) -> grpc.aio.Channel:
        """A plain gRPC channel of its own."""
        options = [("grpc.use_local_subchannel_pool", 1)]
        address = self.addresses[kind]
        if kind == "tls":
            credentials = grpc.ssl_channel_credentials(self.certificate)
            return grpc.aio.secure_channel(address.removeprefix("tls://"), credentials, options)
        return grpc.aio.insecure_channel(address.removeprefix("tcp://"), options)


async def check(channel: grpc.aio.Channel) -> bool:
    """Asks the health service."""
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=20)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def call(channel: grpc.aio.Channel, *metadata: tuple[str, str]) -> bytes:
    """Calls the test method."""
    method = channel.unary_unary(METHOD, request_serializer=_same, response_deserializer=_same)
    return await method(b"", metadata=metadata, timeout=30)


@contextlib.asynccontextmanager
async def front_door(folder: Path, **options: Any) -> AsyncIterator[Front]:
    """Listens on a unix socket, TCP and TLS."""
    certificate, key = self_signed(HOST)
    connections, counted = Connections(), []
    engine_path = str(folder / "engine")
    door = FrontDoor(RelayEngine(engine_path, connections), on_connection=counted.append, **options)
    listeners = {
        "unix": listen_unix(str(folder / "front")),
        "tcp": listen_tcp(f"{HOST}:0"),
        "tls": listen_tcp(f"{HOST}:0", tls=server_tls(certificate.decode(), key.decode())),
    }
    addresses = {
        kind: f"unix:{one.address}" if kind == "unix" else f"{kind}://{HOST}:{one.socket.getsockname()[1]}"
        for kind, one in listeners.items()
    }
    front = Front(door, connections, addresses, certificate, counted)
    server = _server(front)
    server.add_insecure_port(f"unix:{engine_path}")
    await server.start()
    for listener in listeners.values():
        door.listen(listener)
    try:
        yield front
    finally:
        await door.close()
        await server.stop(None)


def _server(front: Front) -> grpc.aio.Server:
    async def handle(_: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        front.infos.append(front.connections.of(context.peer()))
        metadata: dict[str, list[str]] = {}
        for name, value in context.invocation_metadata() or ():
            metadata.setdefault(name, []).append(str(value))
        if front.serve is None:
            return b""
        try:
            async with await open_sidechannel(front.connections, context.peer(), metadata) as channel:
                return await front.serve(channel)
        except TransportError as error:
            again = isinstance(error, OpenFailed) and error.retryable
            code = grpc.StatusCode.UNAVAILABLE if again else grpc.StatusCode.INTERNAL
            await context.abort(code, str(error))

    server = grpc.aio.server()
    handlers = {
        "Call": grpc.unary_unary_rpc_method_handler(
            handle, request_deserializer=_same, response_serializer=_same
        )
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Test", handlers),))
    health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
    return server
