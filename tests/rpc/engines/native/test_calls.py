"""All four kinds of RPC, and what a response is made of."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any

import pytest
from google.rpc import status_pb2  # type: ignore[import-untyped]
from grpc import StatusCode

from gitaly_py.pb.errors_pb2 import LimitError
from gitaly_py.rpc.status import NotFound, ResourceExhausted
from tests.support.http2 import DATA, HEADERS, data, headers, padded, priority
from tests.support.http2_client import Client, message, request_fields
from tests.support.native_engine import (
    BOTH_WAYS,
    CLIENT_STREAM,
    SERVER_STREAM,
    UNARY,
    Requests,
    Serving,
    asking,
    content_of,
    pieces_of,
    pushing,
    sending,
)

noted: ContextVar[str] = ContextVar("noted", default="")


@pytest.mark.parametrize("size", [0, 1, 16_000, 16_384, 70_000, 3_000_000])
async def test_unary_call_answers_with_its_message(client: Client, server: Serving, size: int) -> None:
    async def answer(call: Any, request: Any) -> bytes:
        return bytes(size)

    server.handlers.unary = answer

    reply = await client.call(UNARY, asking())

    assert reply.head == {":status": "200", "content-type": "application/grpc"}
    assert [content_of(each) for each in reply.messages] == [bytes(size)]
    assert (reply.trailers, reply.reset) == ({"grpc-status": "0"}, None)
    await server.handlers.until_ended(("FindCommit", StatusCode.OK))


async def test_server_stream_answers_with_each_message(client: Client, server: Serving) -> None:
    sizes = [0, 1, 100_000, 5, 300_000]

    async def produce(call: Any, request: Any) -> AsyncIterator[bytes]:
        for size in sizes:
            yield bytes(size)

    server.handlers.server_stream = produce

    reply = await client.call(SERVER_STREAM, b"")

    assert [len(each) for each in pieces_of(reply.messages)] == sizes
    assert (reply.code, reply.head[":status"]) == (StatusCode.OK, "200")


async def test_server_stream_without_messages_has_headers_and_trailers(client: Client) -> None:
    reply = await client.call(SERVER_STREAM, b"")

    assert (reply.head[":status"], reply.body, reply.code) == ("200", b"", StatusCode.OK)


async def test_client_stream_is_read_to_its_end(client: Client, server: Serving) -> None:
    sizes = [0, 5, 60_000, 1]

    reply = await client.call(CLIENT_STREAM, *(sending(bytes(size)) for size in sizes))

    assert [len(each) for each in server.handlers.received] == sizes
    assert (reply.messages, reply.code) == ([b""], StatusCode.OK)


async def test_bidirectional_stream_answers_each_message_as_it_comes(client: Client, server: Serving) -> None:
    async def answer(call: Any, requests: Requests) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request.data * 2
        yield b"end"

    server.handlers.both_ways = answer
    number = client.open(BOTH_WAYS, end=False)

    client.say(number, pushing(b"one"))
    assert pieces_of(await client.messages(number, 1)) == [b"oneone"]
    client.say(number, pushing(b"two"))
    assert pieces_of(await client.messages(number, 2)) == [b"oneone", b"twotwo"]
    client.say(number, end=True)

    reply = await client.reply(number)
    assert pieces_of(reply.messages) == [b"oneone", b"twotwo", b"end"]
    assert reply.code is StatusCode.OK


async def test_handler_may_answer_a_stream_before_the_client_ends_it(client: Client, server: Serving) -> None:
    async def first(call: Any, requests: Requests) -> None:
        await anext(requests)

    server.handlers.client_stream = first
    number = client.open(CLIENT_STREAM, sending(b"x"), end=False)

    reply = await client.reply(number)

    assert (reply.code, reply.messages) == (StatusCode.OK, [b""])
    client.say(number, sending(bytes(10_000)), end=True)
    assert (await client.call(UNARY, asking(b"next"))).code is StatusCode.OK


@pytest.mark.parametrize(("path", "name"), [(UNARY, "FindCommit"), (BOTH_WAYS, "PostReceivePack")])
async def test_call_without_its_message_is_an_error(
    client: Client, server: Serving, path: str, name: str
) -> None:
    reply = await client.call(path)

    assert (reply.code, reply.text) == (StatusCode.INTERNAL, "receiving initial request: EOF")
    await server.handlers.until_ended((name, StatusCode.INTERNAL))


async def test_request_that_is_no_message_is_an_error(client: Client) -> None:
    reply = await client.call(UNARY, b"\xff\xff")

    assert reply.code is StatusCode.INTERNAL
    assert reply.text.startswith("grpc: error unmarshalling request: ")


async def test_calls_of_one_connection_are_answered_as_they_end(client: Client, server: Serving) -> None:
    go_on = asyncio.Event()

    async def answer(call: Any, request: Any) -> bytes:
        if request.revision == b"slow":
            await go_on.wait()
        return bytes(request.revision)

    server.handlers.unary = answer
    slow = client.open(UNARY, asking(b"slow"))

    quick = await client.call(UNARY, asking(b"quick"))
    go_on.set()

    assert content_of(quick.messages[0]) == b"quick"
    assert content_of((await client.reply(slow)).messages[0]) == b"slow"


async def test_metadata_reaches_the_handler(client: Client, server: Serving) -> None:
    further = [
        ("user_id", "7"),
        ("gitaly-feature-a", "true"),
        ("gitaly-feature-b", "false"),
        ("remote_ip", "10.0.0.1"),
        ("remote_ip", "10.0.0.2"),
        ("empty", ""),
        ("latin", "caf\xe9"),
    ]

    await client.call(UNARY, asking(), fields=request_fields(UNARY, *further))

    (call,) = server.handlers.calls
    metadata = call.metadata
    assert (metadata.only("user_id"), metadata.first("empty", "none")) == ("7", "")
    assert metadata.all("remote_ip") == ["10.0.0.1", "10.0.0.2"]
    assert (metadata.first("remote_ip"), metadata.last("remote_ip")) == ("10.0.0.1", "10.0.0.2")
    assert metadata.only("remote_ip") == ""
    assert metadata.keys_with("gitaly-feature-", "true") == ["gitaly-feature-a"]
    assert "missing" not in metadata


BINARY = bytes(range(256))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([base64.b64encode(b"\0\xff\xfe\xfd").decode()], [b"\0\xff\xfe\xfd"], id="padded"),
        pytest.param([base64.b64encode(b"\0\xff").decode().rstrip("=")], [b"\0\xff"], id="not padded"),
        pytest.param([base64.b64encode(BINARY).decode()], [BINARY], id="every octet"),
        pytest.param([""], [b""], id="empty"),
        pytest.param(["YQ==", "Yg"], [b"a", b"b"], id="two fields"),
        pytest.param(["YQ==,Yg,Yw=="], [b"a", b"b", b"c"], id="several in one field"),
        pytest.param(["YQ,Yg", "Yw"], [b"a", b"b", b"c"], id="both"),
    ],
)
async def test_binary_metadata_is_decoded(
    client: Client, server: Serving, values: list[str], expected: list[bytes]
) -> None:
    further = [("gitaly-client-context-bin", value) for value in values]

    await client.call(UNARY, asking(), fields=request_fields(UNARY, *further))

    metadata = server.handlers.calls[0].metadata
    assert metadata.all("gitaly-client-context-bin") == [each.decode("latin-1") for each in expected]
    assert metadata.binary("gitaly-client-context-bin") == expected[0]


async def test_binary_metadata_that_is_no_base64_breaks_its_stream_only(client: Client) -> None:
    broken = await client.call(UNARY, asking(), fields=request_fields(UNARY, ("a-bin", "!!!")))

    assert broken.reset == 1
    assert (await client.call(UNARY, asking(b"x"))).code is StatusCode.OK


async def test_error_before_any_message_is_nothing_but_trailers(client: Client, server: Serving) -> None:
    async def fail(call: Any, request: Any) -> bytes:
        raise NotFound("tag does not exist")

    server.handlers.unary = fail

    reply = await client.call(UNARY, asking())

    assert (reply.head, reply.body) == ({}, b"")
    assert reply.trailers == {
        ":status": "200",
        "content-type": "application/grpc",
        "grpc-status": "5",
        "grpc-message": "tag does not exist",
    }


async def test_error_after_a_message_comes_in_the_trailers(client: Client, server: Serving) -> None:
    async def fail(call: Any, request: Any) -> AsyncIterator[bytes]:
        yield b"first"
        raise NotFound("then nothing")

    server.handlers.server_stream = fail

    reply = await client.call(SERVER_STREAM, b"")

    assert pieces_of(reply.messages) == [b"first"]
    assert (reply.code, reply.text, reply.head[":status"]) == (StatusCode.NOT_FOUND, "then nothing", "200")


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("100% wrong\n", "100%25 wrong%0A"),
        ("größer ☃ \U0001f600", "gr%C3%B6%C3%9Fer %E2%98%83 %F0%9F%98%80"),
        ("~!#$&'()*+,/:;=?@[]\"\\", "~!#$&'()*+,/:;=?@[]\"\\"),
        ("\x00\x7f", "%00%7F"),
    ],
)
async def test_message_of_a_status_is_percent_encoded(
    client: Client, server: Serving, text: str, encoded: str
) -> None:
    async def fail(call: Any, request: Any) -> bytes:
        raise NotFound(text)

    server.handlers.unary = fail

    reply = await client.call(UNARY, asking())

    assert (reply.trailers["grpc-message"], reply.text) == (encoded, text)


async def test_details_of_a_status_can_be_decoded(client: Client, server: Serving) -> None:
    async def fail(call: Any, request: Any) -> bytes:
        raise ResourceExhausted("voll \xfc", LimitError(error_message="full"))

    server.handlers.unary = fail

    reply = await client.call(UNARY, asking())

    encoded = reply.trailers["grpc-status-details-bin"]
    status = status_pb2.Status.FromString(base64.b64decode(encoded + "=" * (-len(encoded) % 4)))
    detail = LimitError()
    assert status.details[0].Unpack(detail)
    assert (status.code, status.message, detail.error_message) == (8, "voll \xfc", "full")


async def test_trailers_of_the_call_come_behind_its_status(client: Client, server: Serving) -> None:
    async def cost(call: Any, request: Any) -> bytes:
        call.trailers.append(("x-gitaly-cost", "7"))
        return b""

    server.handlers.unary = cost

    reply = await client.call(UNARY, asking())

    assert reply.trailers == {"grpc-status": "0", "x-gitaly-cost": "7"}


async def test_padding_and_priorities_change_nothing(client: Client, server: Serving) -> None:
    head = headers(1, request_fields(UNARY))
    client.send(
        head._replace(flags=head.flags | 0x28, payload=padded(bytes(5) + head.payload, 200)),
        priority(1),
        data(1, padded(message(asking(b"padded")), 255), end=True)._replace(flags=0x9),
    )

    reply = await client.reply(1)

    assert content_of(reply.messages[0]) == b"padded"


async def test_small_response_travels_in_three_frames(client: Client) -> None:
    await client.call(UNARY, asking(b"x"))

    assert [frame.kind for frame in client.seen if frame.stream == 1] == [HEADERS, DATA, HEADERS]


async def test_calls_that_come_together_do_not_share_their_context(client: Client, server: Serving) -> None:
    seen: list[str] = []

    async def note(call: Any, request: Any) -> bytes:
        seen.append(noted.get())
        noted.set(request.revision.decode())
        return request.revision

    server.handlers.unary = note
    numbers, frames = zip(*(client.frames_of(UNARY, asking(name)) for name in (b"a", b"b")), strict=True)
    client.send(*frames[0], *frames[1])
    for number in numbers:
        await client.reply(number)

    assert seen == ["", ""]
    assert noted.get() == ""


async def test_time_out_of_a_handler_ends_what_it_waits_for(client: Client, server: Serving) -> None:
    async def wait(call: Any, request: Any) -> bytes:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        return b"timed out"

    server.handlers.unary = wait

    assert content_of((await client.call(UNARY, asking())).messages[0]) == b"timed out"
