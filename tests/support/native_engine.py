"""The native engine with services of the test's own, on connections that are socket pairs."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from grpc import StatusCode

from gitaly_py.pb.commit_pb2 import FindCommitRequest, FindCommitResponse
from gitaly_py.pb.repository_pb2 import (
    CreateRepositoryFromBundleRequest,
    CreateRepositoryFromBundleResponse,
)
from gitaly_py.pb.shared_pb2 import GitCommit
from gitaly_py.pb.smarthttp_pb2 import (
    InfoRefsRequest,
    InfoRefsResponse,
    PostReceivePackRequest,
    PostReceivePackResponse,
)
from gitaly_py.rpc.adapter import Frame
from gitaly_py.rpc.engines.native import NativeEngine, NativeSettings
from gitaly_py.rpc.engines.native.connection import NativeConnection
from gitaly_py.rpc.service import RepositoryRule, Service
from gitaly_py.rpc.steps import Steps
from gitaly_py.telemetry import metrics
from gitaly_py.telemetry.tasks import end_all, spawn
from gitaly_py.transport.client import MultiplexedConnection
from gitaly_py.transport.connections import ConnectionInfo, Connections
from gitaly_py.transport.frontdoor import FrontDoor
from gitaly_py.transport.listeners import listen_tcp, listen_unix, server_tls
from gitaly_py.transport.wire import SocketWire, Wire
from tests.support.certificates import self_signed
from tests.support.exchange import frame_of
from tests.support.http2_client import SECONDS, Client

UNARY = "/gitaly.CommitService/FindCommit"
SERVER_STREAM = "/gitaly.SmartHTTPService/InfoRefsUploadPack"
CLIENT_STREAM = "/gitaly.RepositoryService/CreateRepositoryFromBundle"
BOTH_WAYS = "/gitaly.SmartHTTPService/PostReceivePack"

HOST = "localhost"
KINDS = ["unix", "tcp", "tls", "yamux", "yamux in tls"]
"""Ways to a connection through the front door."""

Requests = AsyncIterator[Any]


def asking(content: bytes = b"") -> FindCommitRequest:
    """A request of the unary method, which the default handler answers with `content`."""
    return FindCommitRequest(revision=content)


def sending(content: bytes = b"") -> CreateRepositoryFromBundleRequest:
    """A message of the client stream."""
    return CreateRepositoryFromBundleRequest(data=content)


def pushing(content: bytes = b"") -> PostReceivePackRequest:
    """A message of the bidirectional stream."""
    return PostReceivePackRequest(data=content)


def content_of(answer: bytes) -> bytes:
    """What a message of the unary method says."""
    return FindCommitResponse.FromString(answer).commit.body


def pieces_of(answers: list[bytes]) -> list[bytes]:
    """What the messages of a response stream say."""
    return [InfoRefsResponse.FromString(each).data for each in answers]


async def echo(call: Any, request: FindCommitRequest) -> bytes:
    return request.revision


async def nothing(call: Any, argument: Any) -> AsyncIterator[bytes]:
    return
    yield b""


class Handlers:
    """What the methods do, one of each kind; a test puts its own functions in their places.

    calls: those that have been begun; ended: how each has ended, as its method's name and its status.
    received: what the client stream has been sent, while its handler is the first one.
    """

    def __init__(self) -> None:
        self.unary: Callable[..., Any] = echo
        self.server_stream: Callable[..., Any] = nothing
        self.client_stream: Callable[..., Any] = self._take
        self.both_ways: Callable[..., Any] = nothing
        self.calls: list[Any] = []
        self.ended: list[tuple[str, StatusCode]] = []
        self.received: list[bytes] = []

    def frame(self, services: list[Service]) -> Frame[Any, Any]:
        """Serves the methods, and further services."""
        own = (self._commits(), self._transfers(), self._bundles())
        return frame_of(*own, *services, steps=Steps(reporters=(self,)))

    def begin(self, call: Any) -> None:
        """See Reporter."""
        self.calls.append(call)

    def end(self, call: Any) -> None:
        """See Reporter."""
        self.ended.append((call.method.name, call.status.code))

    async def until_ended(self, *expected: tuple[str, StatusCode]) -> None:
        """Waits until calls have ended so, and no others; then forgets them."""
        async with asyncio.timeout(SECONDS):
            while len(self.ended) < len(expected):
                await asyncio.sleep(0.002)
        assert sorted(self.ended) == sorted(expected)
        self.ended.clear()

    async def _take(self, _: Any, requests: Requests) -> None:
        async for request in requests:
            self.received.append(request.data)

    def _commits(self) -> Service:
        service = Service("CommitService")

        @service.rpc(repository=RepositoryRule.NOWHERE)
        async def find_commit(call: Any, request: FindCommitRequest) -> FindCommitResponse:
            return FindCommitResponse(commit=GitCommit(body=await self.unary(call, request)))

        return service

    def _transfers(self) -> Service:
        service = Service("SmartHTTPService")

        @service.rpc(repository=RepositoryRule.NOWHERE)
        async def info_refs_upload_pack(
            call: Any, request: InfoRefsRequest
        ) -> AsyncIterator[InfoRefsResponse]:
            async with aclosing(self.server_stream(call, request)) as produced:
                async for data in produced:
                    yield InfoRefsResponse(data=data)

        @service.rpc(repository=RepositoryRule.NOWHERE)
        async def post_receive_pack(
            call: Any, requests: AsyncIterator[PostReceivePackRequest]
        ) -> AsyncIterator[PostReceivePackResponse]:
            async with aclosing(self.both_ways(call, requests)) as produced:
                async for data in produced:
                    yield PostReceivePackResponse(data=data)

        return service

    def _bundles(self) -> Service:
        service = Service("RepositoryService")

        @service.rpc(repository=RepositoryRule.NOWHERE)
        async def create_repository_from_bundle(
            call: Any, requests: AsyncIterator[CreateRepositoryFromBundleRequest]
        ) -> CreateRepositoryFromBundleResponse:
            await self.client_stream(call, requests)
            return CreateRepositoryFromBundleResponse()

        return service


class Serving:
    """A running engine."""

    def __init__(self, settings: NativeSettings, services: list[Service]) -> None:
        self.handlers = Handlers()
        self.registry = Connections()
        self.engine = NativeEngine(self.handlers.frame(services), self.registry, settings)
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def connections(self) -> list[NativeConnection]:
        """Those that live, the oldest first."""
        return sorted(self.engine._connections, key=lambda each: int(each.peer.rpartition(":")[2]))

    def serve(self, wire: Wire, first: bytes = b"") -> asyncio.Task[None]:
        """Serves a connection as the front door does."""

        async def run() -> None:
            try:
                await self.engine(wire, first, ConnectionInfo("unix", "@"))
            finally:
                wire.close()

        return spawn(run(), name="connection under test", owner=self._tasks)

    async def connect(
        self,
        settings: dict[int, int] | None = None,
        *,
        greet: bool = True,
        wrap: Callable[[Wire], Wire] = lambda wire: wire,
    ) -> Client:
        """A client on a connection of its own. settings: its own. wrap: puts something around the wire."""
        ours, theirs = socket.socketpair()
        self.serve(wrap(SocketWire(theirs)))
        client = Client(*await asyncio.open_unix_connection(sock=ours))
        if greet:
            client.greet(settings)
        return client

    async def idle(self) -> None:
        """Waits until every call has ended."""
        async with asyncio.timeout(SECONDS):
            while any(connection._tasks for connection in self.connections):
                await asyncio.sleep(0.002)

    async def until(self, condition: Callable[[], Any]) -> None:
        """Waits until a condition holds."""
        async with asyncio.timeout(SECONDS):
            while not condition():
                await asyncio.sleep(0.002)

    async def close(self) -> None:
        """Stops the engine. Whoever hung up before is gone, and nothing of anybody may be left."""
        await self.engine.stop(SECONDS)
        await end_all(self._tasks)
        assert (self.connections, len(self.registry)) == ([], 0)


@asynccontextmanager
async def serving(*services: Service, **settings: Any) -> AsyncIterator[Serving]:
    """An engine with these settings, of which nothing may be left at the end."""
    before = asyncio.all_tasks()
    server = Serving(NativeSettings(**settings), list(services))
    await server.engine.start()
    try:
        yield server
    finally:
        await server.close()
    current = asyncio.current_task()
    assert [task for task in asyncio.all_tasks() - before if task is not current] == []


def faults(reason: str) -> float:
    """How many connections have ended for a reason."""
    return float(metrics.rpc_connection_faults.labels(reason)._value.get())


class Fronted:
    """A front door before a running engine, and clients that come through it."""

    def __init__(self, server: Serving, folder: Path) -> None:
        certificate, key = self_signed(HOST)
        self._trusted = ssl.create_default_context(cadata=certificate.decode())
        self._trusted.set_alpn_protocols(["h2"])
        self._stack = AsyncExitStack()
        self.door = FrontDoor(server.engine)
        self.addresses: dict[str, str] = {}
        listeners = {
            "unix": listen_unix(str(folder / "front")),
            "tcp": listen_tcp(f"{HOST}:0"),
            "tls": listen_tcp(f"{HOST}:0", tls=server_tls(certificate.decode(), key.decode())),
        }
        for kind, listener in listeners.items():
            self.door.listen(listener)
            port = "" if kind == "unix" else listener.socket.getsockname()[1]
            self.addresses[kind] = f"{kind}://{HOST}:{port}" if port else f"unix:{listener.address}"

    async def connect(self, kind: str, settings: dict[int, int] | None = None) -> Client:
        """A client of this kind, one of KINDS. settings: its own."""
        if kind.startswith("yamux"):
            address = self.addresses["tls" if kind.endswith("tls") else "unix"]
            dialled = await MultiplexedConnection.dial(address, ssl_context=self._trusted)
            await self._stack.enter_async_context(dialled)
            path = dialled.target.removeprefix("unix:")
            client = Client(*await asyncio.open_unix_connection(path))
        elif kind == "unix":
            client = Client(*await asyncio.open_unix_connection(self.addresses["unix"].removeprefix("unix:")))
        else:
            port = int(self.addresses[kind].rpartition(":")[2])
            context = self._trusted if kind == "tls" else None
            client = Client(*await asyncio.open_connection(HOST, port, ssl=context))
        self._stack.push_async_callback(client.close)
        client.greet(settings)
        return client

    async def close(self) -> None:
        """Ends the clients, and then the front door."""
        await self._stack.aclose()
        await self.door.close()


@asynccontextmanager
async def fronted(server: Serving, folder: Path) -> AsyncIterator[Fronted]:
    """A front door that listens on a unix socket, TCP and TLS."""
    front = Fronted(server, folder)
    try:
        yield front
    finally:
        await front.close()
