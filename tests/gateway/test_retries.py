"""What only reads is tried again when the connection to the daemon is gone (daemon.md 2.1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import grpc
import grpc.aio
import pytest

from gitaly_py.pb.smarthttp_pb2 import InfoRefsRequest, InfoRefsResponse
from gitaly_py.transport.connections import Connections
from gitaly_py.transport.frontdoor import FrontDoor
from gitaly_py.transport.listeners import listen_unix
from gitaly_py.transport.relay import RelayEngine
from tests.support.daemon import Daemon
from tests.support.gateway import Gateway

PATH = "/group/project.git/info/refs?service=git-upload-pack"
ADVERTISEMENT = b"001e# service=git-upload-pack\n0000"


@asynccontextmanager
async def refusing(folder: Path, times: int, *, after: bytes = b"") -> AsyncIterator[tuple[Any, list[str]]]:
    """A server that is not available for the first so many calls, each after it has sent some bytes.

    Gives what a Gateway needs of a daemon, and the repositories that were asked for.
    """
    asked: list[str] = []

    async def advertise(request: InfoRefsRequest, context: Any) -> AsyncIterator[InfoRefsResponse]:
        asked.append(request.repository.relative_path)
        if len(asked) <= times:
            if after:
                yield InfoRefsResponse(data=after)
            await context.abort(grpc.StatusCode.UNAVAILABLE, "Too many pings")
        yield InfoRefsResponse(data=ADVERTISEMENT)

    handler = grpc.unary_stream_rpc_method_handler(
        advertise,
        request_deserializer=InfoRefsRequest.FromString,
        response_serializer=InfoRefsResponse.SerializeToString,
    )
    server = grpc.aio.server()
    service = grpc.method_handlers_generic_handler("gitaly.SmartHTTPService", {"InfoRefsUploadPack": handler})
    server.add_generic_rpc_handlers((service,))
    server.add_insecure_port(f"unix:{folder}/engine")
    await server.start()
    door = FrontDoor(RelayEngine(f"{folder}/engine", Connections()))
    door.listen(listen_unix(f"{folder}/socket"))
    try:
        yield SimpleNamespace(socket=folder / "socket", token=""), asked
    finally:
        await door.close()
        await server.stop(None)


@pytest.mark.parametrize(("times", "status"), [(1, 200), (3, 200), (4, 503)])
async def test_references_are_asked_for_four_times(tmp_path: Path, times: int, status: int) -> None:
    async with refusing(tmp_path, times) as (daemon, asked):
        gateway = Gateway(tmp_path / "gateway", cast("Daemon", daemon)).start()
        try:
            answer = await asyncio.to_thread(gateway.request, "GET", PATH)
        finally:
            gateway.stop()

    assert answer.status == status
    assert (answer.body == ADVERTISEMENT) == (status == 200)
    assert asked == ["group/project.git"] * min(times + 1, 4)


async def test_an_answer_that_has_begun_is_not_begun_again(tmp_path: Path) -> None:
    async with refusing(tmp_path, 1, after=b"001e# service") as (daemon, asked):
        gateway = Gateway(tmp_path / "gateway", cast("Daemon", daemon)).start()
        try:
            with pytest.raises(Exception, match=r"IncompleteRead|Remote end closed|Connection reset"):
                await asyncio.to_thread(gateway.request, "GET", PATH)
        finally:
            gateway.stop()

    assert len(asked) == 1
