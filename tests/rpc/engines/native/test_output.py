"""How what the engine sends reaches the kernel: in few system calls, and without copies of what is large."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from gitaly_py.rpc.engines.native import exchange
from gitaly_py.rpc.exchange import Outcome
from gitaly_py.rpc.status import OK
from gitaly_py.transport.wire import Buffer, Wire
from tests.support.http2 import DATA, GOAWAY, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, settings, window_update
from tests.support.http2_client import Client
from tests.support.native_engine import SERVER_STREAM, UNARY, Serving, asking, content_of

WIDE = {INITIAL_WINDOW_SIZE: 2**31 - 1}


class CountingWire:
    """Passes everything on to another wire; `sent` has what each system call was given.

    limit: the most octets that a call takes. full: calls take nothing.
    """

    def __init__(self, wire: Wire) -> None:
        self.sent: list[list[Buffer]] = []
        self.limit = 1 << 30
        self.full = False
        self._wire = wire

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wire, name)

    def send(self, data: Buffer, *, more: bool = False) -> int:  # noqa: ARG002 - the wire's signature
        return self.send_many([data])

    def send_many(self, buffers: Sequence[Buffer]) -> int:
        if self.full:
            raise BlockingIOError
        left, part = self.limit, []
        for buffer in buffers:
            part.append(memoryview(buffer)[:left])
            left -= len(part[-1])
        size = self._wire.send_many([each for each in part if len(each)])
        self.sent.append(list(buffers))
        return size


async def counted(server: Serving, values: dict[int, int] | None = None) -> tuple[Client, CountingWire]:
    """A client whose connection has settled, and the wire on the server's side."""
    wires: list[CountingWire] = []

    def wrap(wire: Wire) -> Wire:
        wires.append(CountingWire(wire))
        return wires[0]

    client = await server.connect(values, wrap=wrap)
    client.send(window_update(0, 2**31 - 1 - 65_535))
    await client.synchronized()
    wires[0].sent.clear()
    return client, wires[0]


async def test_response_leaves_in_one_system_call(server: Serving) -> None:
    client, wire = await counted(server)
    async with client:
        for _ in range(5):
            await client.call(UNARY, asking(b"x" * 1000))

        assert len(wire.sent) == 5


async def test_responses_of_one_turn_leave_in_one_system_call(server: Serving) -> None:
    go_on = asyncio.Event()

    async def wait(call: Any, request: Any) -> bytes:
        await go_on.wait()
        return bytes(request.revision)

    server.handlers.unary = wait
    client, wire = await counted(server)
    async with client:
        numbers = [client.open(UNARY, asking(b"%d" % index)) for index in range(100)]
        await server.until(lambda: len(server.handlers.calls) == 100)
        go_on.set()

        answers = [content_of((await client.reply(number)).messages[0]) for number in numbers]

        assert answers == [b"%d" % index for index in range(100)]
        assert len(wire.sent) == 1


async def test_calls_that_come_together_are_answered_together(server: Serving) -> None:
    client, wire = await counted(server)
    async with client:
        calls = [client.frames_of(UNARY, asking()) for _ in range(50)]
        client.send(*(frame for _, frames in calls for frame in frames))
        for number, _ in calls:
            await client.reply(number)

        assert len(wire.sent) <= 2


async def test_refusals_leave_in_one_system_call(server: Serving) -> None:
    client, wire = await counted(server)
    async with client:
        calls = [client.frames_of("/gitaly.NoService/Call", asking()) for _ in range(20)]
        client.send(*(frame for _, frames in calls for frame in frames))
        for number, _ in calls:
            await client.reply(number)

        assert len(wire.sent) == 1


async def test_large_messages_are_not_copied(server: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the kernel gets are views of the very object that the frame has made."""
    made: list[bytes] = []
    send = exchange.NativeExchange.send

    async def recording(self: Any, message: bytes) -> None:
        made.append(message)
        await send(self, message)

    monkeypatch.setattr(exchange.NativeExchange, "send", recording)

    async def produce(call: Any, request: Any) -> AsyncIterator[bytes]:
        for index in range(5):
            yield bytes((index,)) * 131_072

    server.handlers.server_stream = produce
    client, wire = await counted(server, WIDE)
    async with client:
        reply = await client.call(SERVER_STREAM, b"")

    assert [len(message) for message in reply.messages] == [len(message) for message in made]
    views = [each for buffers in wire.sent for each in buffers if isinstance(each, memoryview)]
    assert {id(view.obj) for view in views} == {id(message) for message in made}
    assert sum(map(len, views)) >= sum(map(len, made)) - 5 * 16_384


async def test_large_response_of_a_unary_call_is_not_copied(
    server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    response = bytes(1_000_000)

    async def serve(rpc: Any, exchange: Any) -> Outcome:
        await exchange.receive()
        return Outcome(OK, response)

    monkeypatch.setattr(server.engine.frame, "serve", serve)
    client, wire = await counted(server, WIDE | {MAX_FRAME_SIZE: 1 << 20})
    async with client:
        reply = await client.call(UNARY, asking())

    assert reply.messages == [response]
    views = [each for buffers in wire.sent for each in buffers if len(each) > 1000]
    assert {id(view.obj) for view in views if isinstance(view, memoryview)} == {id(response)}
    assert sum(map(len, views)) >= 990_000


async def test_what_the_kernel_does_not_take_follows_when_it_does(server: Serving) -> None:
    async def produce(call: Any, request: Any) -> AsyncIterator[bytes]:
        for index in range(10):
            yield bytes((index,)) * 100_000

    server.handlers.server_stream = produce
    client, wire = await counted(server, WIDE)
    wire.limit = 7001
    async with client:
        reply = await client.call(SERVER_STREAM, b"")

    contents = b"".join(bytes((index,)) * 100_000 for index in range(10))
    assert b"".join(message[4:] for message in reply.messages) == contents


async def test_control_frames_go_in_front_of_what_waits(server: Serving) -> None:
    """A response that waits for a window keeps no answer of another kind from leaving."""

    async def produce(call: Any, request: Any) -> AsyncIterator[bytes]:
        while True:
            yield bytes(100_000)

    server.handlers.server_stream = produce
    async with await server.connect() as client:
        number = client.open(SERVER_STREAM, b"")
        await server.until(lambda: server.connections[0]._waiting)
        client.send(settings())

        await client.synchronized()

        assert len(client.replies[number].body) == 65_535
        await client.close()


async def test_nothing_is_sent_when_there_is_nothing_to_say(server: Serving) -> None:
    client, wire = await counted(server)
    async with client:
        client.open(UNARY, end=False)
        await server.until(lambda: server.handlers.calls)
        await asyncio.sleep(0.05)

        assert wire.sent == []


async def test_wire_that_breaks_while_sending_ends_the_connection(server: Serving) -> None:
    class Broken(CountingWire):
        def send_many(self, buffers: Sequence[Buffer]) -> int:
            if any(len(buffer) > 10_000 for buffer in buffers):
                raise BrokenPipeError
            return super().send_many(buffers)

    async def produce(call: Any, request: Any) -> AsyncIterator[bytes]:
        while True:
            yield bytes(60_000)

    server.handlers.server_stream = produce
    async with await server.connect(wrap=Broken) as client:
        client.open(SERVER_STREAM, b"")

        assert GOAWAY not in [frame.kind for frame in await client.read_all()]
        assert DATA not in [frame.kind for frame in client.seen]
        await server.until(lambda: not server.connections)
