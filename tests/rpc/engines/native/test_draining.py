"""The end of the engine: calls in flight finish, others are refused, and connections close."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode

from tests.support.http2 import ACK, GOAWAY, PING, PREFACE, Frame, goaway, window_update
from tests.support.http2_client import Client, message
from tests.support.native_engine import (
    CLIENT_STREAM,
    KINDS,
    SERVER_STREAM,
    UNARY,
    Serving,
    asking,
    content_of,
    fronted,
    sending,
    serving,
)

FIRST = goaway(2**31 - 1)
LONG = 30.0


class Gate:
    """A unary handler that waits until it is opened; its calls are counted."""

    def __init__(self, server: Serving) -> None:
        self.open = asyncio.Event()
        self.calls = 0
        server.handlers.unary = self._wait

    async def _wait(self, _: Any, request: Any) -> bytes:
        self.calls += 1
        await self.open.wait()
        return bytes(request.revision)


def stopping(server: Serving, grace: float = LONG) -> asyncio.Task[None]:
    return asyncio.get_running_loop().create_task(server.engine.stop(grace))


async def told(client: Client) -> Frame:
    """Reads the first GOAWAY and the ping behind it, which is returned."""
    assert await client.until(GOAWAY) == FIRST
    return await client.until(PING)


@pytest.mark.parametrize("kind", KINDS)
async def test_calls_in_flight_finish_and_then_the_connection_ends(tmp_path: Path, kind: str) -> None:
    async with serving() as server, fronted(server, tmp_path) as front:
        gate = Gate(server)
        client = await front.connect(kind)
        numbers = [client.open(UNARY, asking(b"%d" % index)) for index in range(3)]
        await server.until(lambda: gate.calls == 3)

        stopped = stopping(server)
        asked = await told(client)
        late = client.open(UNARY, asking(b"late"))
        client.send(asked._replace(flags=ACK))
        assert await client.until(GOAWAY) == goaway(late)
        refused = client.open(UNARY, asking(b"refused"))
        await server.until(lambda: gate.calls == 4)
        gate.open.set()

        answers = [content_of((await client.reply(number)).messages[0]) for number in [*numbers, late]]
        assert answers == [b"0", b"1", b"2", b"late"]
        await client.read_all()
        assert refused not in client.replies
        await client.close()
        await asyncio.wait_for(stopped, LONG)


@pytest.mark.parametrize("kind", KINDS)
async def test_idle_connections_end_at_once(tmp_path: Path, kind: str) -> None:
    async with serving() as server, fronted(server, tmp_path) as front:
        client = await front.connect(kind)
        await client.call(UNARY, asking())

        stopped = stopping(server)
        client.send((await told(client))._replace(flags=ACK))

        assert (await client.goaway())[:2] == (1, 0)
        await client.close()
        await asyncio.wait_for(stopped, LONG)


@pytest.mark.usefixtures("impatient")
async def test_client_that_answers_no_ping_is_given_a_moment(server: Serving) -> None:
    async with await server.connect() as client:
        await client.call(UNARY, asking())
        stopped = stopping(server)
        await told(client)

        assert await client.goaway() == (1, 0, "")
    await asyncio.wait_for(stopped, LONG)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("said", [b"", PREFACE[:11]], ids=["nothing", "part of the preface"])
async def test_connection_that_has_not_begun_ends_too(server: Serving, said: bytes) -> None:
    async with await server.connect(greet=False) as client:
        client.send(said)
        await client.read()

        stopped = stopping(server)

        assert await client.goaway() == (0, 0, "")
    await asyncio.wait_for(stopped, LONG)


@pytest.mark.usefixtures("impatient")
async def test_client_that_stays_connected_is_cut_in_the_end(server: Serving) -> None:
    """It has read everything, and does not end its side."""
    async with await server.connect() as client:
        await client.call(UNARY, asking())

        await asyncio.wait_for(stopping(server), LONG)

        assert server.connections == []


async def test_long_call_goes_on_while_the_engine_stops(server: Serving) -> None:
    async with await server.connect() as client:
        number = client.open(CLIENT_STREAM, sending(b"before"), end=False)
        await server.until(lambda: server.handlers.received)
        stopped = stopping(server)
        client.send((await told(client))._replace(flags=ACK))
        await client.until(GOAWAY)

        for _ in range(3):
            client.say(number, sending(b"after"))
        client.say(number, end=True)

        assert (await client.reply(number)).code is StatusCode.OK
        assert server.handlers.received == [b"before", b"after", b"after", b"after"]
        await client.read_all()
    await asyncio.wait_for(stopped, LONG)


async def test_response_that_waits_for_its_client_is_finished(server: Serving) -> None:
    async def produce(call: Any, request: Any) -> AsyncIterator[bytes]:
        for _ in range(10):
            yield bytes(50_000)

    server.handlers.server_stream = produce
    async with await server.connect() as client:
        number = client.open(SERVER_STREAM, b"")
        await server.until(lambda: server.connections[0]._waiting)
        stopped = stopping(server)
        client.send((await told(client))._replace(flags=ACK))
        read = len(client.replies[number].body)
        client.send(window_update(0, read), window_update(number, read))

        reply = await client.reply(number)

        assert (len(reply.messages), reply.code) == (10, StatusCode.OK)
        await client.read_all()
    await asyncio.wait_for(stopped, LONG)


@pytest.mark.parametrize("kind", KINDS)
async def test_calls_that_outlast_the_grace_period_are_cut(tmp_path: Path, kind: str) -> None:
    async with serving() as server, fronted(server, tmp_path) as front:
        gate = Gate(server)
        client = await front.connect(kind)
        client.open(UNARY, asking())
        await server.until(lambda: gate.calls)

        await asyncio.wait_for(stopping(server, grace=0.05), LONG)

        await server.handlers.until_ended(("FindCommit", StatusCode.CANCELLED))
        assert server.connections == []
        await client.read_all()


async def test_stop_waits_for_handlers_that_clean_up(server: Serving) -> None:
    go_on, begun, ended = asyncio.Event(), asyncio.Event(), []

    async def clean_up(call: Any, request: Any) -> bytes:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await go_on.wait()
            ended.append("cleaned up")
        return b""

    server.handlers.unary = clean_up
    async with await server.connect() as client:
        client.open(UNARY, asking())
        await asyncio.wait_for(begun.wait(), LONG)

        stopped = stopping(server, grace=0)
        await client.read_all()
        await asyncio.sleep(0.05)
        assert not stopped.done()
        go_on.set()
        await asyncio.wait_for(stopped, LONG)

    assert ended == ["cleaned up"]


@pytest.mark.usefixtures("impatient")
async def test_connection_that_comes_while_the_engine_stops_is_turned_away(server: Serving) -> None:
    gate = Gate(server)
    async with await server.connect() as first:
        first.open(UNARY, asking())
        await server.until(lambda: gate.calls)
        stopped = stopping(server)
        await told(first)

        async with await server.connect() as second:
            assert (await second.goaway())[:2] == (0, 0)

        gate.open.set()
        await first.read_all()
    await asyncio.wait_for(stopped, LONG)


async def test_engine_without_connections_stops_at_once(server: Serving) -> None:
    await asyncio.wait_for(server.engine.stop(LONG), 5)


async def test_message_that_comes_in_parts_over_the_end_is_taken(server: Serving) -> None:
    async with await server.connect() as client:
        number = client.open(UNARY, end=False)
        body = message(asking(b"in parts"))
        client.send(Frame(0, 0, number, body[:4]))
        await client.synchronized()
        stopped = stopping(server)
        client.send((await told(client))._replace(flags=ACK), Frame(0, 1, number, body[4:]))

        assert content_of((await client.reply(number)).messages[0]) == b"in parts"
        await client.read_all()
    await asyncio.wait_for(stopped, LONG)
