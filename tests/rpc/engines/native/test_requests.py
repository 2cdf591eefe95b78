"""Requests that no handler sees, and what gRPC over HTTP/2 has as the answer to each."""

from __future__ import annotations

from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.rpc.http2.limits import Limits
from tests.support.http2 import END_STREAM, Frame, block, continuation, data, headers
from tests.support.http2_client import Client, Reply, request_fields
from tests.support.native_engine import CLIENT_STREAM, UNARY, Serving, asking, content_of, sending, serving


async def refused(client: Client, fields: Any, *, http_status: str = "200") -> Reply:
    """A call whose response is nothing but trailers, after which the connection goes on."""
    reply = await client.call(UNARY, asking(), fields=fields)
    assert (reply.head, reply.body, reply.trailers[":status"]) == ({}, b"", http_status)
    assert (await client.call(UNARY, asking())).code is StatusCode.OK
    return reply


@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS", "post"])
async def test_methods_other_than_post_are_not_allowed(client: Client, method: str) -> None:
    reply = await refused(client, request_fields(UNARY, method=method), http_status="405")

    assert reply.code is StatusCode.INTERNAL
    assert f"'{method}' which should be POST" in reply.text


async def test_get_without_content_type_is_refused(client: Client) -> None:
    number = client.open("/", fields=request_fields("/", method="GET", content_type=None, te=None))

    reply = await client.reply(number)

    assert reply.trailers[":status"] in ("405", "415")


@pytest.mark.parametrize("value", [None, "", "text/html", "application/grpcweb", "application/json"])
async def test_other_content_types_are_unsupported(client: Client, value: str | None) -> None:
    reply = await refused(client, request_fields(UNARY, content_type=value), http_status="415")

    assert reply.code is StatusCode.INVALID_ARGUMENT
    assert reply.text == f'invalid gRPC request content-type "{value or ""}"'


@pytest.mark.parametrize(
    "value",
    ["application/grpc+proto", "application/grpc;charset=utf-8", "application/GRPC", "Application/grpc"],
)
async def test_content_types_of_grpc_are_taken(client: Client, value: str) -> None:
    reply = await client.call(UNARY, asking(b"x"), fields=request_fields(UNARY, content_type=value))

    assert reply.code is StatusCode.OK


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/gitaly.CommitService/Nothing", "unknown method Nothing for service gitaly.CommitService"),
        ("/gitaly.BlobService/GetBlob", "unknown method GetBlob for service gitaly.BlobService"),
        ("/gitaly.NoService/FindCommit", "unknown service gitaly.NoService"),
        ("/a/b/c", "unknown service a/b"),
        ("/gitaly.CommitService/", "unknown method  for service gitaly.CommitService"),
        ("/FindCommit", 'malformed method name: "/FindCommit"'),
        ("FindCommit", 'malformed method name: "FindCommit"'),
        ("gitaly.CommitService/FindCommit", 'malformed method name: "gitaly.CommitService/FindCommit"'),
        ("/", 'malformed method name: "/"'),
        ("*", 'malformed method name: "*"'),
        ("/gitaly.Commit%53ervice/X\xff", "unknown service gitaly.Commit%53ervice"),
    ],
)
async def test_methods_that_are_not_there_are_unimplemented(client: Client, path: str, text: str) -> None:
    reply = await refused(client, request_fields(path))

    assert (reply.code, reply.text) == (StatusCode.UNIMPLEMENTED, text)


async def test_unknown_method_of_a_service_outside_the_api_is_told_from_an_unknown_service() -> None:
    from gitaly_py.services.health.check import service

    async with serving(service) as server, await server.connect() as client:
        reply = await refused(client, request_fields("/grpc.health.v1.Health/Nothing"))

    assert reply.text == "unknown method Nothing for service grpc.health.v1.Health"


async def test_refused_call_leaves_no_handler(client: Client, server: Serving) -> None:
    await client.call("/gitaly.NoService/Call", asking())

    assert server.handlers.calls == []


async def test_refused_call_that_still_sends_is_told_to_stop(client: Client) -> None:
    number = client.open("/gitaly.NoService/Call", asking(), end=False)

    reply = await client.reply(number)
    await client.synchronized()

    assert (reply.code, reply.reset) == (StatusCode.UNIMPLEMENTED, 0)
    client.say(number, asking(b"late"), end=True)
    assert (await client.call(UNARY, asking())).code is StatusCode.OK


@pytest.mark.parametrize(
    "value", ["", "1", "S", "1s", "1 S", "-1S", "+1S", "1.5S", "123456789S", "1D", "0x1S", "\u0661S", "1SS"]
)
async def test_malformed_timeouts_are_refused(client: Client, value: str) -> None:
    value = value.encode().decode("latin-1")

    reply = await refused(client, request_fields(UNARY, grpc_timeout=value), http_status="400")

    assert reply.code is StatusCode.INTERNAL
    assert reply.text.startswith("malformed grpc-timeout: ")


async def test_two_timeouts_are_refused(client: Client) -> None:
    fields = request_fields(UNARY, ("grpc-timeout", "1S"), ("grpc-timeout", "2S"))

    assert (await refused(client, fields, http_status="400")).code is StatusCode.INTERNAL


@pytest.mark.parametrize("name", ["deflate", "snappy", "zstd", "GZIP", "gzip,identity"])
async def test_unknown_encodings_are_unimplemented(client: Client, name: str) -> None:
    reply = await refused(client, request_fields(UNARY, grpc_encoding=name))

    assert reply.code is StatusCode.UNIMPLEMENTED
    assert reply.text == f'grpc: Decompressor is not installed for grpc-encoding "{name}"'
    assert reply.trailers["grpc-accept-encoding"] == "identity,gzip"


async def test_trailers_end_a_request(client: Client, server: Serving) -> None:
    number = client.open(UNARY, asking(b"x"), end=False)
    client.send(headers(number, [("later", "value"), ("grpc-status", "0")], end=True))

    reply = await client.reply(number)

    assert (content_of(reply.messages[0]), reply.code) == (b"x", StatusCode.OK)


async def test_trailers_that_do_not_end_a_request_break_its_stream_only(
    client: Client, server: Serving
) -> None:
    number = client.open(CLIENT_STREAM, sending(b"x"), end=False)
    await server.until(lambda: server.handlers.calls)
    client.send(headers(number, [("later", "value")]))

    reply = await client.reply(number)

    assert reply.reset == 1
    await server.handlers.until_ended(("CreateRepositoryFromBundle", StatusCode.CANCELLED))
    assert (await client.call(UNARY, asking())).code is StatusCode.OK


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([*request_fields(UNARY), ("Upper", "case")], id="upper case"),
        pytest.param([*request_fields(UNARY), (":path", "/late")], id="pseudo behind"),
        pytest.param([("a", "b"), *request_fields(UNARY)], id="pseudo not in front"),
        pytest.param(request_fields(UNARY, method=None), id="no method"),
        pytest.param(request_fields(UNARY, connection="close"), id="connection"),
        pytest.param(request_fields(UNARY, te="gzip"), id="te"),
        pytest.param([*request_fields(UNARY), ("a", "b\nc")], id="line feed"),
    ],
)
async def test_malformed_requests_break_their_streams_only(client: Client, fields: Any) -> None:
    reply = await client.reply(client.open(UNARY, asking(), fields=fields))

    assert (reply.reset, reply.trailers) == (1, {})
    assert (await client.call(UNARY, asking())).code is StatusCode.OK


async def test_large_metadata_is_taken(client: Client, server: Serving) -> None:
    number, value = 1, "x" * 40_000
    head = block([*request_fields(UNARY), *((f"key-{index}", value) for index in range(50))], huffman=False)
    parts = [head[start : start + 65_536] for start in range(0, len(head), 65_536)]
    client.send(Frame(1, 0, number, parts[0]), *(continuation(number, part) for part in parts[1:-1]))
    client.send(continuation(number, parts[-1], end=True), data(number, b"\0\0\0\0\0", end=True))

    assert (await client.reply(number)).code is StatusCode.OK
    assert server.handlers.calls[0].metadata.only("key-49") == value


async def test_metadata_above_the_limit_exhausts_its_stream_only() -> None:
    limits = Limits(max_header_list=10_000)
    async with serving(limits=limits) as server, await server.connect() as client:
        # Repeated, they are a few octets each on the wire, so the block itself is no fault.
        table = ("x-metadata", "v" * 2000)
        assert (await client.call(UNARY, asking(), fields=request_fields(UNARY, table))).code is StatusCode.OK

        number = client.open(UNARY, asking(), fields=request_fields(UNARY, *[("m" * 50, "v" * 1000)] * 9))
        reply = await client.reply(number)

        assert (reply.code, reply.text) == (
            StatusCode.RESOURCE_EXHAUSTED,
            "received metadata size exceeds limit",
        )
        assert (await client.call(UNARY, asking())).code is StatusCode.OK
        assert len(server.handlers.calls) == 2


async def test_half_close_before_the_handler_has_begun_is_seen(client: Client) -> None:
    number, frames = client.frames_of(UNARY, asking(b"x"), end=False)
    client.send(*frames, data(number)._replace(flags=END_STREAM))

    assert content_of((await client.reply(number)).messages[0]) == b"x"
