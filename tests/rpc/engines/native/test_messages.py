"""Messages in the body of a request, however frames and reads cut them."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
from struct import pack
from typing import Any

import pytest
from grpc import StatusCode

from tests.support.http2 import SETTINGS, WINDOW_UPDATE, credit_of, data, rst_stream
from tests.support.http2_client import Client, Reply, Request, message, request_fields
from tests.support.native_engine import (
    CLIENT_STREAM,
    UNARY,
    Requests,
    Serving,
    asking,
    content_of,
    sending,
    serving,
)

TOO_LARGE = "grpc: received message larger than max ({size} vs. {limit})"


def compressed(content: Request) -> bytes:
    """A message as a client with `grpc-encoding: gzip` sends it."""
    octets = content if isinstance(content, bytes) else content.SerializeToString()
    return message(gzip.compress(octets), flag=1)


def in_frames(number: int, octets: bytes, size: int) -> bytes:
    """A request's body in DATA frames of `size` octets."""
    frames = [data(number, octets[start : start + size]) for start in range(0, len(octets), size)]
    return b"".join(frame.octets for frame in [*frames, data(number, end=True)])


async def answer_to(client: Client, body: bytes, *, size: int = 16_384, **fields: Any) -> Reply:
    """Calls the unary method with a body of any shape."""
    number = client.open(UNARY, end=False, fields=request_fields(UNARY, **fields))
    client.send(in_frames(number, body, size))
    return await client.reply(number)


@pytest.mark.parametrize("size", [1, 3, 5, 7, 16_384])
async def test_message_may_come_in_frames_of_any_size(client: Client, size: int) -> None:
    reply = await answer_to(client, message(asking(b"in parts")), size=size)

    assert content_of(reply.messages[0]) == b"in parts"


async def test_request_may_come_octet_by_octet(client: Client, server: Serving) -> None:
    number, frames = client.frames_of(UNARY, asking(b"slowly"))
    for frame in frames:
        for octet in frame.octets:
            client.send(bytes((octet,)))
            await asyncio.sleep(0)

    assert content_of((await client.reply(number)).messages[0]) == b"slowly"


async def test_several_messages_may_come_in_one_frame(client: Client, server: Serving) -> None:
    words = [b"one", b"", b"three" * 1000, b"four"]
    number = client.open(CLIENT_STREAM, end=False)
    client.send(data(number, b"".join(message(sending(word)) for word in words), end=True))

    assert (await client.reply(number)).code is StatusCode.OK
    assert server.handlers.received == words


async def test_message_of_the_greatest_size_is_taken(client: Client) -> None:
    content = bytes((4 << 20) - 5)  # the field's tag and length are part of the message

    reply = await answer_to(client, message(asking(content)))

    assert content_of(reply.messages[0]) == content


async def test_larger_message_is_refused_with_both_sizes(client: Client, server: Serving) -> None:
    reply = await answer_to(client, message(asking(bytes(4 << 20))))

    assert reply.code is StatusCode.RESOURCE_EXHAUSTED
    assert reply.text == TOO_LARGE.format(size=(4 << 20) + 5, limit=4 << 20)
    await server.handlers.until_ended(("FindCommit", StatusCode.RESOURCE_EXHAUSTED))
    assert (await client.call(UNARY, asking())).code is StatusCode.OK


async def test_larger_message_is_refused_before_it_has_come(client: Client) -> None:
    number = client.open(UNARY, end=False)
    client.send(data(number, pack(">BI", 0, 2**32 - 1)))

    reply = await client.reply(number)

    assert reply.text == TOO_LARGE.format(size=2**32 - 1, limit=4 << 20)


async def test_messages_in_front_of_one_too_large_are_taken() -> None:
    async with serving(max_message=100) as server, await server.connect() as client:
        reply = await client.call(CLIENT_STREAM, sending(b"one"), sending(b"two"), sending(bytes(101)))

    assert reply.text == TOO_LARGE.format(size=103, limit=100)
    assert server.handlers.received == [b"one", b"two"]


async def test_message_larger_than_the_stream_window_gets_through(client: Client, server: Serving) -> None:
    number = client.open(CLIENT_STREAM, end=False)
    await client.until(SETTINGS)
    body = message(sending(bytes(4_000_000)))
    left, credit = body, 1 << 20

    while left:
        part, left = left[: min(credit, 65_536)], left[min(credit, 65_536) :]
        credit -= len(part)
        client.send(data(number, part, end=not left))
        while not credit and left:
            credit += int.from_bytes((await client.until(WINDOW_UPDATE, number)).payload)

    assert (await client.reply(number)).code is StatusCode.OK
    assert server.handlers.received == [bytes(4_000_000)]


async def test_request_that_ends_within_a_message_is_an_error(client: Client, server: Serving) -> None:
    reply = await answer_to(client, message(asking(b"cut off"))[:-1])

    assert reply.code is StatusCode.INTERNAL
    assert reply.text == "grpc: the request ended within a message: unexpected EOF"


async def test_messages_in_front_of_one_cut_off_are_taken(client: Client, server: Serving) -> None:
    number = client.open(CLIENT_STREAM, end=False)
    client.send(data(number, message(sending(b"whole")) + b"\0\0\0", end=True))

    assert (await client.reply(number)).code is StatusCode.INTERNAL
    assert server.handlers.received == [b"whole"]


async def test_gzip_messages_are_taken(client: Client) -> None:
    body = compressed(asking(b"squeezed"))

    reply = await answer_to(client, body, grpc_encoding="gzip")

    assert content_of(reply.messages[0]) == b"squeezed"


async def test_client_with_an_encoding_may_send_plain_messages(client: Client) -> None:
    reply = await answer_to(client, message(asking(b"plain")), grpc_encoding="gzip")

    assert content_of(reply.messages[0]) == b"plain"


@pytest.mark.parametrize("encoding", [{}, {"grpc_encoding": "identity"}], ids=["none", "identity"])
async def test_compressed_message_without_an_encoding_is_an_error(
    client: Client, encoding: dict[str, Any]
) -> None:
    reply = await answer_to(client, compressed(asking(b"x")), **encoding)

    assert reply.code is StatusCode.INTERNAL
    assert reply.text == "grpc: compressed flag set with identity or empty encoding"


@pytest.mark.parametrize("octets", [b"no gzip", gzip.compress(b"cut off")[:-3]], ids=["other", "cut off"])
async def test_what_does_not_decompress_is_an_error(client: Client, octets: bytes) -> None:
    reply = await answer_to(client, message(octets, flag=1), grpc_encoding="gzip")

    assert reply.code is StatusCode.INTERNAL
    assert reply.text.startswith("grpc: failed to decompress the received message")


async def test_unknown_flag_of_a_message_is_an_error(client: Client) -> None:
    reply = await answer_to(client, message(b"", flag=2))

    assert (reply.code, reply.text) == (StatusCode.INTERNAL, "grpc: received unexpected payload format 2")


async def test_message_that_decompresses_to_too_much_is_refused(client: Client) -> None:
    bomb = compressed(bytes(50_000_000))

    reply = await answer_to(client, bomb, grpc_encoding="gzip")

    assert reply.code is StatusCode.RESOURCE_EXHAUSTED
    assert reply.text == f"grpc: received message after decompression larger than max {4 << 20}"


async def test_compressed_messages_that_nobody_takes_stay_compressed(client: Client, server: Serving) -> None:
    reading = asyncio.Event()

    async def wait(call: Any, requests: Requests) -> None:
        reading.set()
        await asyncio.Event().wait()

    server.handlers.client_stream = wait
    number = client.open(CLIENT_STREAM, end=False, fields=request_fields(CLIENT_STREAM, grpc_encoding="gzip"))
    client.send(data(number, compressed(sending(bytes(4_000_000)))))
    await asyncio.wait_for(reading.wait(), 30)
    tracemalloc.start()
    try:
        for _ in range(50):
            client.send(data(number, compressed(sending(bytes(4_000_000)))))
        await client.synchronized()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held < 20_000_000
    client.send(rst_stream(number))


async def test_empty_messages_that_nobody_takes_cost_no_more_than_their_octets(
    client: Client, server: Serving
) -> None:
    reading = asyncio.Event()

    async def wait(call: Any, requests: Requests) -> None:
        reading.set()
        await asyncio.Event().wait()

    server.handlers.client_stream = wait
    number = client.open(CLIENT_STREAM, sending(), end=False)
    await asyncio.wait_for(reading.wait(), 30)
    body = data(number, message(b"") * 10_000)
    tracemalloc.start()
    try:
        for _ in range(20):
            client.send(body)
        await client.synchronized()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held < 5_000_000
    client.send(rst_stream(number))


async def test_what_was_received_is_given_back_when_a_call_ends(client: Client, server: Serving) -> None:
    """More than the connection's window, in calls none of which reads what it is sent."""

    async def first(call: Any, requests: Requests) -> None:
        await anext(requests)

    server.handlers.client_stream = first
    body = message(sending(bytes(1_000_000)))
    sent = 0
    for _ in range(40):
        number = client.open(CLIENT_STREAM, sending(b"x"), end=False)
        client.send(in_frames(number, body, 65_536))
        sent += len(body) + len(message(sending(b"x")))
        await client.reply(number)
        while 65_535 + credit_of(client.seen, 0) - sent < len(body):
            await client.until(WINDOW_UPDATE)

    assert sent > 32 << 20
    assert server.connections[0].buffered == 0
