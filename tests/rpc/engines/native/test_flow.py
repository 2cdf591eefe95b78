"""Back-pressure in both directions, and that no call waits for another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.smarthttp_pb2 import InfoRefsRequest
from gitaly_py.rpc.http2.limits import Limits
from tests.support.http2 import (
    INITIAL_WINDOW_SIZE,
    SETTINGS,
    WINDOW_UPDATE,
    credit_of,
    data,
    settings,
    window_update,
)
from tests.support.http2_client import Client, message
from tests.support.native_engine import (
    BOTH_WAYS,
    CLIENT_STREAM,
    KINDS,
    SERVER_STREAM,
    UNARY,
    Requests,
    Serving,
    asking,
    content_of,
    fronted,
    pieces_of,
    pushing,
    sending,
    serving,
)

AHEAD = 400_000
"""More than any handler may make ahead of its client, in messages of 100,000 octets."""


class Producer:
    """A server stream of `count` messages; `made` is how many its handler has got to."""

    def __init__(self, server: Serving, count: int = 1 << 30, size: int = 100_000) -> None:
        self.made = 0
        self._count = count
        self._size = size
        server.handlers.server_stream = self._produce

    async def _produce(self, _: Any, __: Any) -> AsyncIterator[bytes]:
        for ___ in range(self._count):
            self.made += 1
            yield bytes(self._size)

    async def stopped(self, server: Serving) -> int:
        """Waits until every handler waits for its client; how many messages there are."""
        await server.until(lambda: len(server.connections[0]._waiting) == len(server.connections[0]._tasks))
        return self.made


async def test_stream_that_is_not_read_stops_its_handler_and_goes_on_when_it_is(
    client: Client, server: Serving
) -> None:
    producer = Producer(server, count=50)
    number = client.open(SERVER_STREAM, b"")
    await server.until(lambda: producer.made)

    assert await producer.stopped(server) * 100_000 < 65_535 + AHEAD
    assert server.connections[0].core.queued < AHEAD

    reply = await client.reply(number)
    assert [len(each) for each in pieces_of(reply.messages)] == [100_000] * 50
    assert reply.code is StatusCode.OK


@pytest.mark.parametrize("kind", KINDS)
async def test_stream_with_an_open_window_stops_at_a_connection_that_is_not_read(
    tmp_path: Path, kind: str
) -> None:
    async with serving() as server, fronted(server, tmp_path) as front:
        client = await front.connect(kind, {INITIAL_WINDOW_SIZE: 2**31 - 1})
        producer = Producer(server, count=300)
        number = client.open(SERVER_STREAM, b"")
        client.send(window_update(0, 2**31 - 1 - 65_535))
        await server.until(lambda: producer.made > 1)

        made = await producer.stopped(server)

        assert made < 200
        assert len((await client.reply(number, credit=False)).messages) == 300


async def test_small_messages_stop_their_handler_too(client: Client, server: Serving) -> None:
    producer = Producer(server, size=100)
    client.open(SERVER_STREAM, b"")
    await server.until(lambda: producer.made)

    assert await producer.stopped(server) * 100 < 65_535 + AHEAD


async def test_window_of_one_octet_is_used(server: Serving) -> None:
    async with await server.connect({INITIAL_WINDOW_SIZE: 0}) as client:
        number = client.open(UNARY, asking(b"word"))
        await client.synchronized()
        expected = len(message(asking(b"word"))) + 2  # the commit around the body, and its length

        for count in range(1, expected + 1):
            client.send(window_update(number, 1))
            await client.until(0, number)
            assert len(client.replies[number].body) == count

        assert content_of((await client.reply(number)).messages[0]) == b"word"


async def test_window_may_grow_and_shrink_by_settings(server: Serving) -> None:
    async with await server.connect({INITIAL_WINDOW_SIZE: 1000}) as client:
        Producer(server, count=1, size=5000)
        number = client.open(SERVER_STREAM, b"")
        await client.until(0, number)

        client.send(settings({INITIAL_WINDOW_SIZE: 500}), settings({INITIAL_WINDOW_SIZE: 3000}))
        await client.until(0, number)
        assert len(client.replies[number].body) == 3000
        client.send(settings({INITIAL_WINDOW_SIZE: 100_000}))

        assert (await client.reply(number, credit=False)).code is StatusCode.OK


async def test_unread_request_stream_stops_its_client_while_others_go_on(
    client: Client, server: Serving
) -> None:
    go_on, received = asyncio.Event(), []

    async def take(call: Any, requests: Requests) -> None:
        await go_on.wait()
        received.extend([len(request.data) async for request in requests])

    server.handlers.client_stream = take
    number = client.open(CLIENT_STREAM, end=False)
    body = message(sending(bytes(65_000)))
    window = 1 << 20
    sent = 0
    while sent + len(body) <= window:
        client.send(data(number, body))
        sent += len(body)

    assert content_of((await client.call(UNARY, asking(b"other"))).messages[0]) == b"other"
    await client.synchronized()
    assert credit_of(client.seen, number) < window // 2
    assert server.connections[0].buffered <= window

    go_on.set()
    await client.until(WINDOW_UPDATE, number)
    client.say(number, end=True)
    assert (await client.reply(number)).code is StatusCode.OK
    assert received == [65_000] * (sent // len(body))


async def test_client_that_sends_beyond_its_window_loses_the_stream_only(
    client: Client, server: Serving
) -> None:
    begun = asyncio.Event()

    async def wait(call: Any, requests: Requests) -> None:
        begun.set()
        await asyncio.Event().wait()

    server.handlers.client_stream = wait
    number = client.open(CLIENT_STREAM, sending(), end=False)
    await asyncio.wait_for(begun.wait(), 30)

    for _ in range(17):
        client.send(data(number, bytes(65_536)))

    assert (await client.reply(number)).reset == 3
    await server.handlers.until_ended(("CreateRepositoryFromBundle", StatusCode.CANCELLED))
    assert (await client.call(UNARY, asking())).code is StatusCode.OK


async def test_incomplete_messages_do_not_hold_up_each_other() -> None:
    """Every handler waits for the rest of a message, and together they hold the connection's whole window."""
    limits = Limits(connection_window=65_535, stream_window=65_535)
    async with serving(limits=limits) as server, await server.connect() as client:
        body = message(sending(bytes(30_000)))
        part = 65_535 // 3
        numbers = [client.open(CLIENT_STREAM, end=False) for _ in range(3)]
        await client.until(SETTINGS)
        client.send(*(data(number, body[:part]) for number in numbers))

        await client.until(WINDOW_UPDATE)

        client.send(*(data(number, body[part:], end=True) for number in numbers))
        assert {(await client.reply(number)).code for number in numbers} == {StatusCode.OK}


@pytest.mark.parametrize("kind", KINDS)
async def test_much_passes_in_both_directions_at_once(tmp_path: Path, kind: str) -> None:
    async def answer(call: Any, requests: Requests) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request.data

    contents = [bytes((index,)) * 60_000 for index in range(15)]
    async with serving() as server, fronted(server, tmp_path) as front:
        server.handlers.both_ways = answer
        client = await front.connect(kind)
        number = client.open(BOTH_WAYS, *(pushing(content) for content in contents))

        assert pieces_of((await client.reply(number)).messages) == contents


async def test_a_thousand_streams_on_one_connection_finish_beside_a_stalled_one(server: Serving) -> None:
    async def produce(call: Any, request: Any) -> AsyncIterator[bytes]:
        for _ in range(10 if request.git_protocol == "stalled" else 2):
            yield bytes(20_000)

    server.handlers.server_stream = produce
    async with await server.connect() as client:
        client.send(window_update(0, 1 << 30))
        stalled = client.open(SERVER_STREAM, InfoRefsRequest(git_protocol="stalled"))
        numbers = [client.open(SERVER_STREAM, b"") for _ in range(999)]

        for number in numbers:
            while not client.replies.get(number) or not client.replies[number].ended:
                assert await client.read() is not None

        assert {client.replies[number].code for number in numbers} == {StatusCode.OK}
        assert len(client.replies[stalled].body) == 65_535
        client.send(window_update(stalled, 1 << 20))
        assert (await client.reply(stalled)).code is StatusCode.OK


async def test_a_thousand_unary_calls_are_in_progress_at_once(client: Client, server: Serving) -> None:
    go_on = asyncio.Event()

    async def wait(call: Any, request: Any) -> bytes:
        await go_on.wait()
        return bytes(request.revision)

    server.handlers.unary = wait
    numbers = [client.open(UNARY, asking(b"%d" % index)) for index in range(1000)]
    await server.until(lambda: len(server.handlers.calls) == 1000)

    go_on.set()

    for index, number in enumerate(numbers):
        assert content_of((await client.reply(number)).messages[0]) == b"%d" % index
