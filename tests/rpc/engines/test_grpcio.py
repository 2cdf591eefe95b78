"""The grpc.aio engine: the end of a client stream, which the library reports of a cut stream, too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from gitaly_py.pb.ref_pb2 import UpdateReferencesRequest, UpdateReferencesResponse
from gitaly_py.pb.ref_pb2_grpc import RefServiceStub
from gitaly_py.pb.shared_pb2 import Repository
from gitaly_py.rpc.engines.grpcio import GrpcioEngine
from gitaly_py.rpc.service import Service
from gitaly_py.telemetry.tasks import spawn
from tests.support.exchange import frame_of

REQUEST = UpdateReferencesRequest(repository=Repository(storage_name="default", relative_path="a.git"))


class Listener:
    """Serves UpdateReferences and notes how each request stream was seen to go on.

    apart: requests are read by a task of their own.
    """

    def __init__(self, *, apart: bool) -> None:
        self.seen: asyncio.Queue[str] = asyncio.Queue()
        self.service = Service("RefService")
        self._tasks: set[asyncio.Task[Any]] = set()

        @self.service.rpc()
        async def update_references(
            call: Any, requests: AsyncIterator[UpdateReferencesRequest]
        ) -> UpdateReferencesResponse:
            if not apart:
                await self._read(requests)
                return UpdateReferencesResponse()
            reading = spawn(self._read(requests), name="read requests", owner=self._tasks)
            try:
                await asyncio.shield(reading)
            finally:
                reading.cancel()
            return UpdateReferencesResponse()

    async def _read(self, requests: AsyncIterator[UpdateReferencesRequest]) -> None:
        try:
            async for _ in requests:
                self.seen.put_nowait("message")
        except asyncio.CancelledError:
            self.seen.put_nowait("cut")
            raise
        self.seen.put_nowait("end")


@pytest.fixture(params=[False, True], ids=["read by the handler", "read by a task of its own"])
def listener(request: pytest.FixtureRequest) -> Listener:
    return Listener(apart=request.param)


@pytest.fixture
async def server(listener: Listener, tmp_path: Path) -> AsyncIterator[GrpcioEngine]:
    server = GrpcioEngine(frame_of(listener.service), f"unix:{tmp_path}/socket")
    await server.start()
    yield server
    await server.stop(0)


@pytest.fixture
async def stub(server: GrpcioEngine, tmp_path: Path) -> AsyncIterator[RefServiceStub]:
    async with grpc.aio.insecure_channel(f"unix:{tmp_path}/socket") as channel:
        yield RefServiceStub(channel)


async def hang_up(call: Any, server: GrpcioEngine) -> None:
    call.cancel()


async def stop(call: Any, server: GrpcioEngine) -> None:
    await server.stop(0)


async def wait(call: Any, server: GrpcioEngine) -> None:
    """The call's deadline passes by itself."""


async def unending() -> AsyncIterator[UpdateReferencesRequest]:
    yield REQUEST
    await asyncio.Event().wait()


@pytest.mark.parametrize("cut", [hang_up, stop, wait])
async def test_a_stream_that_is_cut_does_not_end(
    listener: Listener,
    server: GrpcioEngine,
    stub: RefServiceStub,
    cut: Callable[[Any, GrpcioEngine], Awaitable[None]],
) -> None:
    call = stub.UpdateReferences(unending(), timeout=0.2 if cut is wait else None)
    assert await listener.seen.get() == "message"

    await cut(call, server)

    assert await listener.seen.get() == "cut"
    with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):
        await call


async def test_a_stream_that_is_closed_by_the_client_ends(listener: Listener, stub: RefServiceStub) -> None:
    await stub.UpdateReferences(iter([REQUEST, REQUEST]))

    assert [listener.seen.get_nowait() for _ in range(3)] == ["message", "message", "end"]
