"""Calls whose clients do not wait any more: handlers end, and what they hold is let go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from grpc import StatusCode
from structlog.testing import capture_logs

from gitaly_py.rpc.http2.errors import ErrorCode
from tests.support.http2 import rst_stream, window_update
from tests.support.http2_client import Client
from tests.support.native_engine import (
    BOTH_WAYS,
    CLIENT_STREAM,
    SERVER_STREAM,
    UNARY,
    Requests,
    Serving,
    asking,
    content_of,
    echo,
    pushing,
    sending,
    serving,
)

CANCELLED = StatusCode.CANCELLED


async def reset(client: Client, number: int) -> None:
    client.send(rst_stream(number))


async def hang_up(client: Client, number: int) -> None:
    await client.close()


async def vanish(client: Client, number: int) -> None:
    client.abort()


async def break_the_rules(client: Client, number: int) -> None:
    client.send(window_update(0, 0))


GONE = pytest.mark.parametrize("gone", [reset, hang_up, vanish, break_the_rules])
Gone = Callable[[Client, int], Awaitable[None]]


class Waiting:
    """What handlers do that wait for ever, some with a task of their own; `ended` has their ends."""

    def __init__(self, server: Serving) -> None:
        self.begun = asyncio.Event()
        self.ended: list[str] = []
        server.handlers.unary = self._alone
        server.handlers.server_stream = self._producing
        server.handlers.client_stream = self._reading
        server.handlers.both_ways = self._both

    async def _alone(self, _: Any, __: Any) -> bytes:
        await self._wait()
        return b""

    async def _producing(self, _: Any, __: Any) -> AsyncIterator[bytes]:
        yield b"first"
        await self._wait()

    async def _reading(self, _: Any, requests: Requests) -> None:
        async for __ in requests:
            self.begun.set()

    async def _both(self, _: Any, requests: Requests) -> AsyncIterator[bytes]:
        self.begun.set()
        try:
            async for request in requests:
                while True:
                    yield request.data
        finally:
            await asyncio.sleep(0)
            self.ended.append("handler")

    async def _wait(self) -> None:
        async def child() -> None:
            try:
                self.begun.set()
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                self.ended.append("child")

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(child())
        finally:
            self.ended.append("handler")


@GONE
@pytest.mark.parametrize(
    ("path", "request_message", "name", "ended"),
    [
        (UNARY, asking(), "FindCommit", ["child", "handler"]),
        (SERVER_STREAM, b"", "InfoRefsUploadPack", ["child", "handler"]),
        (CLIENT_STREAM, sending(), "CreateRepositoryFromBundle", []),
        (BOTH_WAYS, pushing(bytes(50_000)), "PostReceivePack", ["handler"]),
    ],
)
async def test_handler_and_its_children_end_with_the_client(
    client: Client, server: Serving, gone: Gone, path: str, request_message: Any, name: str, ended: list[str]
) -> None:
    waiting = Waiting(server)
    number = client.open(path, request_message, end=False)
    await asyncio.wait_for(waiting.begun.wait(), 30)

    await gone(client, number)

    await server.handlers.until_ended((name, CANCELLED))
    assert waiting.ended == ended
    await server.idle()


async def test_reset_of_one_call_touches_no_other(client: Client, server: Serving) -> None:
    waiting = Waiting(server)
    number = client.open(UNARY, asking())
    other = client.open(CLIENT_STREAM, sending(), end=False)
    await asyncio.wait_for(waiting.begun.wait(), 30)

    client.send(rst_stream(number))
    await server.handlers.until_ended(("FindCommit", CANCELLED))

    client.say(other, end=True)
    assert (await client.reply(other)).code is StatusCode.OK
    assert number not in client.replies


async def test_call_that_is_reset_before_its_handler_has_begun_never_begins(
    client: Client, server: Serving
) -> None:
    number, frames = client.frames_of(UNARY, asking())
    client.send(*frames, rst_stream(number))

    assert (await client.call(UNARY, asking(b"next"))).code is StatusCode.OK
    assert [call.first.revision for call in server.handlers.calls] == [b"next"]


async def test_reset_behind_the_response_is_no_fault(client: Client) -> None:
    number = client.open(UNARY, asking())
    await client.reply(number)

    client.send(rst_stream(number), rst_stream(number))

    assert (await client.call(UNARY, asking())).code is StatusCode.OK


async def test_stream_whose_client_resets_it_sends_no_more(client: Client, server: Serving) -> None:
    async def produce(call: Any, request: Any) -> AsyncIterator[bytes]:
        while True:
            yield bytes(100_000)

    server.handlers.server_stream = produce
    number = client.open(SERVER_STREAM, b"")
    await client.until(0, number)

    client.send(rst_stream(number))
    await server.handlers.until_ended(("InfoRefsUploadPack", CANCELLED))
    await client.synchronized()
    read = len(client.replies[number].body)
    client.send(window_update(0, 1 << 30))
    await client.call(UNARY, asking())

    assert len(client.replies[number].body) == read
    assert server.connections[0].core.queued == 0


async def test_handler_that_ends_after_its_client_is_gone_disturbs_nobody(
    client: Client, server: Serving
) -> None:
    go_on, begun = asyncio.Event(), asyncio.Event()

    async def stubborn(call: Any, request: Any) -> bytes:
        begun.set()
        while not go_on.is_set():
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                continue
        return bytes(100_000)

    server.handlers.unary = stubborn
    number = client.open(UNARY, asking())
    await asyncio.wait_for(begun.wait(), 30)

    client.send(rst_stream(number))
    await client.synchronized()
    go_on.set()

    await server.handlers.until_ended(("FindCommit", StatusCode.OK))
    assert content_of((await client.call(UNARY, asking())).messages[0]) == bytes(100_000)
    assert number not in client.replies


@GONE
async def test_handler_that_reads_on_after_its_cancellation_is_not_kept_waiting(
    client: Client, server: Serving, gone: Gone
) -> None:
    begun = asyncio.Event()

    async def read_on(call: Any, requests: Requests) -> None:
        await anext(requests)
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await anext(requests)

    server.handlers.client_stream = read_on
    number = client.open(CLIENT_STREAM, sending(), end=False)
    await asyncio.wait_for(begun.wait(), 30)

    await gone(client, number)

    await server.idle()


@GONE
async def test_handler_that_sends_on_after_its_cancellation_is_not_kept_waiting(
    client: Client, server: Serving, gone: Gone
) -> None:
    begun = asyncio.Event()

    async def send_on(call: Any, request: Any) -> AsyncIterator[bytes]:
        yield b"first"
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            for _ in range(20):
                yield bytes(100_000)
        yield b"last"

    server.handlers.server_stream = send_on
    number = client.open(SERVER_STREAM, b"")
    await asyncio.wait_for(begun.wait(), 30)

    await gone(client, number)

    await server.idle()


async def test_answer_that_cannot_be_sent_resets_its_stream(client: Client, server: Serving) -> None:
    async def break_off(call: Any, request: Any) -> bytes:
        call.trailers.append(("x-gitaly-cost", 7))
        return b""

    server.handlers.unary = break_off

    with capture_logs() as logs:
        reply = await client.call(UNARY, asking())

    assert (reply.reset, reply.trailers) == (ErrorCode.INTERNAL_ERROR, {})
    assert [(entry["event"], entry["method"]) for entry in logs] == [("answer failed", UNARY)]
    server.handlers.unary = echo
    assert (await client.call(UNARY, asking())).code is StatusCode.OK


async def test_handler_that_never_waits_ends_when_what_it_sends_breaks_the_connection() -> None:
    """It is cancelled from within its own call, and nothing but the engine can make it see that."""
    ended: list[str] = []

    async def produce(call: Any, request: Any) -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(50_000)
        finally:
            await asyncio.sleep(0)
            ended.append("cleaned up")

    async with serving(max_memory=100_000) as server, await server.connect() as client:
        server.handlers.server_stream = produce
        client.open(SERVER_STREAM, b"")

        assert (await client.goaway())[2] == "too_much_memory"
        await server.handlers.until_ended(("InfoRefsUploadPack", CANCELLED))
        assert ended == ["cleaned up"]


async def test_call_behind_one_that_finds_the_client_gone_never_begins(
    client: Client, server: Serving
) -> None:
    async def produce(call: Any, request: Any) -> AsyncIterator[bytes]:
        yield bytes(200_000)

    server.handlers.server_stream = produce
    for _ in range(2):
        client.open(SERVER_STREAM, b"")
    await client.flush()
    client.abort()

    await server.handlers.until_ended(("InfoRefsUploadPack", CANCELLED))
    await server.idle()
    assert len(server.handlers.calls) == 1
