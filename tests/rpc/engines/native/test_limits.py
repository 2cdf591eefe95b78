"""Each limit of `[rpc]` on a real connection: it ends with the right error and a metric, others do not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from grpc import StatusCode
from structlog.testing import capture_logs

from gitaly_py.rpc.http2.errors import ErrorCode
from gitaly_py.rpc.http2.limits import Limits
from tests.support.http2 import (
    INITIAL_WINDOW_SIZE,
    PREFACE,
    SETTINGS,
    Frame,
    block,
    continuation,
    data,
    headers,
    ping,
    priority,
    rst_stream,
    settings,
    window_update,
)
from tests.support.http2_client import Client, message, request_fields
from tests.support.native_engine import (
    CLIENT_STREAM,
    SERVER_STREAM,
    UNARY,
    Requests,
    Serving,
    asking,
    content_of,
    echo,
    faults,
    sending,
    serving,
)

CALM = ErrorCode.ENHANCE_YOUR_CALM


@asynccontextmanager
async def ends_with(
    code: ErrorCode, reason: str, *, greet: bool = True, **options: Any
) -> AsyncIterator[tuple[Serving, Client]]:
    """What the client does in the block must end its connection so, and touch no other."""
    async with serving(**options) as server, await server.connect() as other:
        assert (await other.call(UNARY, asking())).code is StatusCode.OK
        async with await server.connect(greet=greet) as client:
            before = faults(reason)
            with capture_logs() as logs:
                yield server, client
                _, found, text = await client.goaway()
            server.handlers.unary = echo
            assert (ErrorCode(found), text) == (code, reason)
            assert faults(reason) == before + 1
            assert [(entry["event"], entry["error"]) for entry in logs] == [
                ("protocol violation", f"{code.name}: {reason}")
            ]
        await server.until(lambda: len(server.connections) == 1)
        assert content_of((await other.call(UNARY, asking(b"other"))).messages[0]) == b"other"


def flood(client: Client, make: Callable[[int], Frame], count: int) -> None:
    """Twice as many as are allowed in a second, which may have just begun."""
    client.send(*(make(index) for index in range(2 * count + 2)))


async def test_streams_above_the_greatest_number_are_refused() -> None:
    go_on = asyncio.Event()

    async def wait(call: Any, request: Any) -> bytes:
        await go_on.wait()
        return b""

    async with serving(limits=Limits(max_streams=3)) as server, await server.connect() as client:
        server.handlers.unary = wait
        numbers = [client.open(UNARY, asking()) for _ in range(5)]

        assert [(await client.reply(number)).reset for number in numbers[3:]] == [
            ErrorCode.REFUSED_STREAM
        ] * 2
        first = next(frame for frame in client.seen if frame.kind == SETTINGS)
        assert b"\0\3\0\0\0\3" in [first.payload[at : at + 6] for at in range(0, len(first.payload), 6)]
        go_on.set()
        assert [(await client.reply(number)).code for number in numbers[:3]] == [StatusCode.OK] * 3
        assert (await client.call(UNARY, asking())).code is StatusCode.OK


async def test_rapid_resets_end_the_connection() -> None:
    async with ends_with(CALM, "too_many_resets", limits=Limits(resets=50)) as (server, client):
        for _ in range(102):
            number, frames = client.frames_of(UNARY, asking())
            client.send(*frames, rst_stream(number))
    assert len(server.handlers.calls) == 2


async def test_rapid_resets_of_handlers_that_have_begun_end_the_connection() -> None:
    async def wait(call: Any, requests: Requests) -> None:
        await asyncio.Event().wait()

    async with ends_with(CALM, "too_many_resets", limits=Limits(resets=20)) as (server, client):
        server.handlers.client_stream = wait
        for _ in range(42):
            number = client.open(CLIENT_STREAM, sending(), end=False)
            await client.flush()
            client.send(rst_stream(number))
            await asyncio.sleep(0)


async def test_resets_that_the_server_is_made_to_send_end_the_connection() -> None:
    async with ends_with(CALM, "too_many_resets", limits=Limits(resets=50)) as (_, client):
        for _ in range(102):
            number = client.open(UNARY, asking(), end=False)
            client.send(window_update(number, 0))


async def test_malformed_requests_without_end_end_the_connection() -> None:
    async with ends_with(CALM, "too_many_resets", limits=Limits(resets=50)) as (_, client):
        for _ in range(102):
            client.open(UNARY, fields=[("no", "pseudo")])


@pytest.mark.parametrize(
    ("reason", "make"),
    [
        pytest.param("too_many_settings", lambda _: settings(), id="settings"),
        pytest.param("too_many_empty_frames", lambda _: priority(1), id="priority"),
        pytest.param("too_many_empty_frames", lambda _: Frame(0x99, 0, 0, b""), id="unknown type"),
        pytest.param("too_many_empty_frames", lambda _: ping(ack=True), id="answers to no ping"),
        pytest.param("too_many_empty_frames", lambda _: rst_stream(1), id="reset of an ended stream"),
    ],
)
async def test_floods_of_frames_that_bring_nothing_end_the_connection(
    reason: str, make: Callable[[int], Frame]
) -> None:
    limits = Limits(settings=50, empty_frames=50)
    async with ends_with(CALM, reason, limits=limits) as (_, client):
        await client.call(UNARY, asking())
        flood(client, make, 50)


async def test_flood_of_empty_data_ends_the_connection() -> None:
    async with ends_with(CALM, "too_many_empty_frames", limits=Limits(empty_frames=50)) as (_, client):
        number = client.open(CLIENT_STREAM, end=False)
        flood(client, lambda _: data(number), 50)


async def test_header_block_without_end_ends_the_connection() -> None:
    limits = Limits(max_continuations=10)
    async with ends_with(CALM, "header_block_too_large", limits=limits) as (_, client):
        client.send(headers(1, request_fields(UNARY), flags=0), *[continuation(1, b"\x00\x01a\x01b")] * 12)


async def test_header_block_above_the_list_size_ends_the_connection() -> None:
    limits = Limits(max_header_list=100_000)
    async with ends_with(CALM, "header_block_too_large", limits=limits) as (_, client):
        part = block([("a", "b" * 30_000)], huffman=False)
        client.send(headers(1, request_fields(UNARY), flags=0), *[continuation(1, part)] * 5)


async def test_frame_above_the_greatest_size_ends_the_connection() -> None:
    limits = Limits(max_frame=20_000)
    async with ends_with(ErrorCode.FRAME_SIZE_ERROR, "frame_too_large", limits=limits) as (_, client):
        number = client.open(UNARY, end=False)
        client.send(data(number, bytes(20_001)))


async def test_overflow_of_the_connection_window_ends_the_connection() -> None:
    async with ends_with(ErrorCode.FLOW_CONTROL_ERROR, "window_overflow") as (_, client):
        client.send(window_update(0, 2**31 - 1))


async def test_overflow_of_a_stream_window_ends_the_stream_only(client: Client, server: Serving) -> None:
    async def wait(call: Any, request: Any) -> bytes:
        await asyncio.Event().wait()
        return b""

    server.handlers.unary = wait
    number = client.open(UNARY, asking())
    client.send(window_update(number, 2**31 - 1))

    assert (await client.reply(number)).reset == ErrorCode.FLOW_CONTROL_ERROR


async def test_data_beyond_the_connection_window_ends_the_connection() -> None:
    async def wait(call: Any, requests: Requests) -> None:
        await asyncio.Event().wait()

    limits = Limits(connection_window=65_535)
    async with ends_with(ErrorCode.FLOW_CONTROL_ERROR, "connection_window_overrun", limits=limits) as (
        server,
        client,
    ):
        server.handlers.client_stream = wait
        number = client.open(CLIENT_STREAM, sending(), end=False)
        client.send(data(number, bytes(60_000)), data(number, bytes(6000)))


async def test_broken_header_block_ends_the_connection() -> None:
    async with ends_with(ErrorCode.COMPRESSION_ERROR, "bad_header_block") as (_, client):
        client.send(Frame(1, 4, 1, b"\xff\xff\xff\xff\xff\xff\xff"))


async def test_other_protocols_end_their_connection() -> None:
    async with ends_with(ErrorCode.PROTOCOL_ERROR, "bad_preface", greet=False) as (_, client):
        client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")


async def test_what_is_received_and_not_taken_is_bounded() -> None:
    """Each call takes its window back, since its message is larger; all of them together are too much."""
    async with ends_with(CALM, "too_much_memory", max_memory=5_000_000) as (_, client):
        body = message(sending(bytes(4_000_000)))
        for _ in range(4):
            number = client.open(CLIENT_STREAM, end=False)
            for start in range(0, 1_600_000, 65_536):
                client.send(data(number, body[start : start + 65_536]))
                await client.flush()
                await asyncio.sleep(0)
                await asyncio.sleep(0)


async def test_what_waits_to_be_sent_is_bounded() -> None:
    go_on = asyncio.Event()

    async def wait(call: Any, request: Any) -> bytes:
        await go_on.wait()
        return bytes(100_000)

    async with ends_with(CALM, "too_much_memory", max_memory=1_000_000) as (server, client):
        server.handlers.unary = wait
        client.send(settings({INITIAL_WINDOW_SIZE: 0}))
        for _ in range(20):
            client.open(UNARY, asking())
        await server.until(lambda: len(server.handlers.calls) == 21)
        go_on.set()


async def test_streams_that_wait_to_be_sent_are_bounded() -> None:
    async def produce(call: Any, request: Any) -> AsyncIterator[bytes]:
        while True:
            yield bytes(100_000)

    async with ends_with(CALM, "too_much_memory", max_memory=1_000_000) as (server, client):
        server.handlers.server_stream = produce
        for _ in range(20):
            client.open(SERVER_STREAM, b"")


async def test_nothing_that_came_with_a_fault_is_served() -> None:
    begun: list[str] = []

    async def take(call: Any, requests: Requests) -> None:
        begun.append(call.method.name)
        await asyncio.Event().wait()

    async with ends_with(CALM, "too_much_memory", max_memory=100_000) as (server, client):
        server.handlers.client_stream = take
        number = client.open(CLIENT_STREAM, sending(), end=False)
        await server.until(lambda: begun)
        _, later = client.frames_of(UNARY, asking(b"later"))
        client.send(data(number, bytes(60_000)), data(number, bytes(60_000)), *later)
    unary = [call.first.revision for call in server.handlers.calls if call.method.path == UNARY]
    assert unary == [b"", b"other"]


async def test_client_that_reads_no_answers_is_cut() -> None:
    """Its settings are answered, and it reads neither the answers nor the GOAWAY."""
    limits = Limits(settings=1 << 30, empty_frames=1 << 30)
    async with serving(limits=limits) as server, await server.connect() as client:
        before = faults("answers_not_read")
        for _ in range(400):
            client.send(*[settings()] * 400)
            await asyncio.sleep(0)
        await server.until(lambda: faults("answers_not_read") > before)

        await server.until(lambda: not server.connections)


@pytest.mark.parametrize(
    ("said", "level", "error"),
    [
        pytest.param([window_update(0, 0)], "warning", "PROTOCOL_ERROR: empty_window_update", id="violation"),
        pytest.param([PREFACE], "info", "PROTOCOL_ERROR: bad_preface", id="probe"),
    ],
)
async def test_violations_are_logged_with_the_address_of_the_client(
    server: Serving, said: list[Any], level: str, error: str
) -> None:
    with capture_logs() as logs:
        async with await server.connect(greet=level == "warning") as client:
            client.send(*said, ping())
            await client.goaway()

    assert logs == [
        {
            "event": "protocol violation",
            "log_level": level,
            "remote_address": "@",
            "type": "unix",
            "error": error,
        }
    ]
