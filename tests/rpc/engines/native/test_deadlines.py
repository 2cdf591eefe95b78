"""`grpc-timeout`: what it means for a call, and what happens when it has passed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.rpc.status import NotFound
from tests.support.http2 import END_HEADERS, HEADERS, window_update
from tests.support.http2_client import Client, request_fields
from tests.support.native_engine import SERVER_STREAM, UNARY, Serving, asking, pieces_of


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2H", 7200),
        ("3M", 180),
        ("70S", 70),
        ("90000m", 90),
        ("80000000u", 80),
        ("99999999n", 0.099999999),
        ("99999999H", 99999999 * 3600),
        ("00000090S", 90),
    ],
)
async def test_timeout_has_every_unit(client: Client, server: Serving, value: str, seconds: float) -> None:
    await client.call(UNARY, asking(), fields=request_fields(UNARY, grpc_timeout=value))

    (call,) = server.handlers.calls
    assert seconds - 30 < call.time_limit <= seconds


async def test_call_without_timeout_has_no_deadline(client: Client, server: Serving) -> None:
    await client.call(UNARY, asking())

    assert server.handlers.calls[0].deadline is None


@pytest.mark.parametrize("timeout", ["1n", "0S", "0n", "20m"])
async def test_handler_is_cancelled_when_its_deadline_has_passed(
    client: Client, server: Serving, timeout: str
) -> None:
    ended: list[str] = []

    async def wait(call: Any, request: Any) -> bytes:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            ended.append("cleaned up")
            call.trailers.append(("x-gitaly-cost", "7"))
            raise
        return b""

    server.handlers.unary = wait

    reply = await client.call(UNARY, asking(), fields=request_fields(UNARY, grpc_timeout=timeout))

    assert (reply.head, reply.code) == ({}, StatusCode.DEADLINE_EXCEEDED)
    assert (reply.text, reply.reset) == ("context deadline exceeded", None)
    assert reply.trailers["x-gitaly-cost"] == "7"
    assert ended == ["cleaned up"]
    await server.handlers.until_ended(("FindCommit", StatusCode.DEADLINE_EXCEEDED))


async def test_deadline_passes_while_the_request_is_awaited(client: Client, server: Serving) -> None:
    number = client.open(UNARY, end=False, fields=request_fields(UNARY, grpc_timeout="20m"))

    reply = await client.reply(number)

    assert reply.code is StatusCode.DEADLINE_EXCEEDED
    await client.synchronized()
    assert reply.reset == 0


async def test_deadline_passes_within_a_response(client: Client, server: Serving) -> None:
    async def produce(call: Any, request: Any) -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.Event().wait()

    server.handlers.server_stream = produce

    reply = await client.call(SERVER_STREAM, b"", fields=request_fields(SERVER_STREAM, grpc_timeout="50m"))

    assert (pieces_of(reply.messages), reply.code) == ([b"first"], StatusCode.DEADLINE_EXCEEDED)
    assert reply.head[":status"] == "200"


async def test_deadline_passes_while_the_client_does_not_read(client: Client, server: Serving) -> None:
    """The handler ends at once; the status comes behind what was sent before."""

    async def produce(call: Any, request: Any) -> AsyncIterator[bytes]:
        while True:
            yield bytes(100_000)

    server.handlers.server_stream = produce
    number = client.open(SERVER_STREAM, b"", fields=request_fields(SERVER_STREAM, grpc_timeout="50m"))

    await server.handlers.until_ended(("InfoRefsUploadPack", StatusCode.DEADLINE_EXCEEDED))

    client.send(window_update(number, 1 << 30), window_update(0, 1 << 30))
    reply = await client.reply(number, credit=False)
    assert reply.code is StatusCode.DEADLINE_EXCEEDED
    assert 65_535 < len(reply.body) < 400_000


async def test_error_after_the_deadline_is_deadline_exceeded(client: Client, server: Serving) -> None:
    async def fail(call: Any, request: Any) -> bytes:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise NotFound("too late") from None
        return b""

    server.handlers.unary = fail

    reply = await client.call(UNARY, asking(), fields=request_fields(UNARY, grpc_timeout="20m"))

    assert (reply.code, reply.text) == (StatusCode.DEADLINE_EXCEEDED, "too late")


async def test_deadline_of_one_call_touches_no_other(client: Client, server: Serving) -> None:
    go_on = asyncio.Event()

    async def wait(call: Any, request: Any) -> bytes:
        await go_on.wait()
        return b""

    server.handlers.unary = wait
    other = client.open(UNARY, asking())

    reply = await client.call(UNARY, asking(), fields=request_fields(UNARY, grpc_timeout="10m"))
    go_on.set()

    assert reply.code is StatusCode.DEADLINE_EXCEEDED
    assert (await client.reply(other)).code is StatusCode.OK


async def test_call_that_ends_in_time_leaves_no_timer(client: Client, server: Serving) -> None:
    async def wait(call: Any, request: Any) -> bytes:
        await asyncio.sleep(0)
        return b""

    server.handlers.unary = wait
    loop = asyncio.get_running_loop()
    fired: list[Any] = []
    call_at = loop.call_at

    def recording(when: float, callback: Any, *arguments: Any, **options: Any) -> Any:
        handle = call_at(when, callback, *arguments, **options)
        if when - loop.time() > 1000:
            fired.append(handle)
        return handle

    loop.call_at = recording  # type: ignore[method-assign,assignment]
    try:
        await client.call(UNARY, asking(), fields=request_fields(UNARY, grpc_timeout="1H"))
    finally:
        loop.call_at = call_at  # type: ignore[method-assign]

    assert [handle.cancelled() for handle in fired] == [True]


async def test_headers_of_a_response_come_before_its_deadline(client: Client, server: Serving) -> None:
    async def produce(call: Any, request: Any) -> AsyncIterator[bytes]:
        yield b""
        await asyncio.Event().wait()

    server.handlers.server_stream = produce
    number = client.open(SERVER_STREAM, b"", fields=request_fields(SERVER_STREAM, grpc_timeout="100m"))

    frame = await client.until(HEADERS, number, flags=END_HEADERS)

    assert not frame.flags & 1
    assert (await client.reply(number)).code is StatusCode.DEADLINE_EXCEEDED
