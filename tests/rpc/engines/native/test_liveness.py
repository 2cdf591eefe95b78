"""Clients that are silent, that do not do their part in time, or that ping too often."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.rpc.engines.native.liveness import KEEPALIVE_PING
from gitaly_py.rpc.http2.errors import ErrorCode
from gitaly_py.rpc.http2.limits import Limits
from tests.support.http2 import (
    ACK,
    INITIAL_WINDOW_SIZE,
    PING,
    PREFACE,
    SETTINGS,
    SETTINGS_ACK,
    ping,
    settings,
    window_update,
)
from tests.support.http2_client import Client
from tests.support.native_engine import (
    BOTH_WAYS,
    SERVER_STREAM,
    UNARY,
    Requests,
    Serving,
    asking,
    faults,
    pushing,
    serving,
)

CALM = ErrorCode.ENHANCE_YOUR_CALM
SOON = 0.05
NEVER = 1e9
SILENT: Any = {"keepalive_time": SOON, "keepalive_timeout": SOON}


async def unending(call: Any, request: Any) -> AsyncIterator[bytes]:
    while True:
        yield bytes(50_000)


async def ends_with(client: Client, code: ErrorCode, reason: str) -> None:
    before = faults(reason)
    assert (await client.goaway())[1:] == (code, reason)
    assert faults(reason) == before + 1


async def test_silent_client_is_asked_for_a_sign_of_life_and_dropped_without_one() -> None:
    async with serving(**SILENT) as server, await server.connect() as client:
        await client.until(PING)

        await ends_with(client, CALM, "keepalive_timeout")
        assert KEEPALIVE_PING in [frame.payload for frame in client.seen if frame.kind == PING]


async def test_calls_of_a_client_that_is_dropped_are_cancelled() -> None:
    async def wait(call: Any, request: Any) -> bytes:
        await asyncio.Event().wait()
        return b""

    async with serving(**SILENT) as server:
        server.handlers.unary = wait
        async with await server.connect() as client:
            client.open(UNARY, asking())

            await server.handlers.until_ended(("FindCommit", StatusCode.CANCELLED))


async def test_client_that_answers_is_kept() -> None:
    async with (
        serving(keepalive_time=SOON, keepalive_timeout=0.5) as server,
        await server.connect() as client,
    ):
        for _ in range(5):
            frame = await client.until(PING)
            client.send(frame._replace(flags=ACK))

        assert (await client.call(UNARY, asking())).code is StatusCode.OK


async def test_anything_from_the_client_is_a_sign_of_life() -> None:
    async with (
        serving(keepalive_time=SOON, keepalive_timeout=0.5) as server,
        await server.connect() as client,
    ):
        for _ in range(5):
            await client.until(PING)
            assert (await client.call(UNARY, asking())).code is StatusCode.OK


async def test_client_that_vanished_with_its_connection_full_is_dropped() -> None:
    """What it was to read fills the connection, so that it is not even sent the ping."""
    async with serving(**SILENT) as server:
        server.handlers.server_stream = unending
        async with await server.connect({INITIAL_WINDOW_SIZE: 2**31 - 1}) as client:
            client.send(window_update(0, 2**31 - 1 - 65_535))
            client.open(SERVER_STREAM, b"")

            await server.handlers.until_ended(("InfoRefsUploadPack", StatusCode.CANCELLED))
            await server.until(lambda: not server.connections)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param([], id="nothing"),
        pytest.param([PREFACE[:15]], id="part of the preface"),
        pytest.param([PREFACE], id="the preface"),
        pytest.param([PREFACE, settings()], id="no acknowledgement"),
    ],
)
async def test_handshake_that_does_not_end_is_given_up(said: list[Any]) -> None:
    async with (
        serving(preface_timeout=0.2) as server,
        await server.connect() as other,
        await server.connect(greet=False) as client,
    ):
        client.send(*said)

        await ends_with(client, ErrorCode.SETTINGS_TIMEOUT, "settings_not_acknowledged")
        assert (await other.call(UNARY, asking())).code is StatusCode.OK


async def test_handshake_may_go_on_beside_calls() -> None:
    async with serving(preface_timeout=NEVER) as server, await server.connect(greet=False) as client:
        client.greet(ack=False)
        await client.until(SETTINGS)

        assert (await client.call(UNARY, asking())).code is StatusCode.OK
        client.send(SETTINGS_ACK)
        await server.until(lambda: server.connections[0].core.settled)


async def test_window_that_is_zero_for_ever_ends_the_connection() -> None:
    async with serving(stall_timeout=SOON) as server:
        server.handlers.server_stream = unending
        async with await server.connect({INITIAL_WINDOW_SIZE: 0}) as client:
            client.open(SERVER_STREAM, b"")

            await ends_with(client, CALM, "stalled")
        await server.handlers.until_ended(("InfoRefsUploadPack", StatusCode.CANCELLED))


async def test_whole_response_that_is_never_taken_ends_the_connection() -> None:
    async with serving(stall_timeout=SOON) as server:
        client = await server.connect({INITIAL_WINDOW_SIZE: 0})
        client.open(UNARY, asking(b"x"))

        await ends_with(client, CALM, "stalled")
        await client.close()


async def test_connection_whose_last_octets_are_never_read_ends() -> None:
    """They fit into what was already taken from the streams, which have nothing more to send."""

    async def produce(call: Any, request: Any) -> AsyncIterator[bytes]:
        for _ in range(5):
            yield bytes(100_000)

    async with serving(stall_timeout=SOON) as server:
        server.handlers.server_stream = produce
        async with await server.connect({INITIAL_WINDOW_SIZE: 2**31 - 1}) as client:
            client.send(window_update(0, 2**31 - 1 - 65_535))
            before = faults("stalled")
            client.open(SERVER_STREAM, b"")

            await server.until(lambda: faults("stalled") > before)
            await server.until(lambda: not server.connections)


async def test_stream_that_waits_too_long_ends_the_connection_though_others_go_on() -> None:
    async with serving(stall_timeout=0.2) as server, await server.connect() as client:
        server.handlers.server_stream = unending
        before = faults("stalled")
        client.open(SERVER_STREAM, b"")
        client.send(window_update(0, 1 << 30))

        while faults("stalled") == before:
            client.open(UNARY, asking(b"x"))
            await asyncio.sleep(0.01)

        assert (await client.goaway())[2] == "stalled"


@pytest.mark.parametrize("timeout", [0, NEVER])
async def test_client_may_pause_within_the_time(timeout: float) -> None:
    async with serving(stall_timeout=timeout) as server, await server.connect() as client:
        server.handlers.server_stream = unending
        number = client.open(SERVER_STREAM, b"")
        await server.until(lambda: server.connections[0]._waiting)
        await asyncio.sleep(0.1)

        client.send(window_update(0, 1 << 20), window_update(number, 1 << 20))
        while number not in client.replies or len(client.replies[number].body) < 1_000_000:
            assert await client.read() is not None


async def test_idle_client_is_not_stalled() -> None:
    async with serving(stall_timeout=SOON) as server, await server.connect() as client:
        assert (await client.call(UNARY, asking())).code is StatusCode.OK
        await asyncio.sleep(0.2)

        assert (await client.call(UNARY, asking())).code is StatusCode.OK


async def test_too_many_pings_end_the_connection(server: Serving) -> None:
    async with await server.connect() as client, await server.connect() as other:
        client.send(*[ping()] * 10)

        await ends_with(client, CALM, "too_many_pings")
        assert (await other.call(UNARY, asking())).code is StatusCode.OK


async def test_pings_behind_data_of_a_response_are_fine(client: Client, server: Serving) -> None:
    async def answer(call: Any, requests: Requests) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request.data

    server.handlers.both_ways = answer
    number = client.open(BOTH_WAYS, end=False)

    for count in range(1, 11):
        client.say(number, pushing(b"x"))
        await client.messages(number, count)
        client.send(ping(b"%08d" % count))
        assert (await client.until(PING, flags=ACK)).payload == b"%08d" % count


@pytest.mark.parametrize(
    "limits", [Limits(ping_strikes=0), Limits(ping_interval=0)], ids=["no strikes", "no interval"]
)
async def test_pings_are_not_counted_where_they_need_not_be(limits: Limits) -> None:
    async with serving(limits=limits) as server, await server.connect() as client:
        client.send(*[ping()] * 50)

        for _ in range(50):
            await client.until(PING, flags=ACK)
        assert (await client.call(UNARY, asking())).code is StatusCode.OK
