"""Requests that no gRPC client sends: they are refused, and hold up nobody.

What a request gets is looked at with the native engine. grpcio answers to some in its own way, and to some
not at all; there it counts that others are served.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import time

import pytest
from google.protobuf.message import Message
from grpc import StatusCode

from gitaly_py.pb.commit_pb2 import FindCommitRequest
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from tests.support.http2 import (
    END_HEADERS,
    GOAWAY,
    HEADER_TABLE_SIZE,
    HEADERS,
    Fields,
    Frame,
    block,
    continuation,
    data,
)
from tests.support.http2_client import Client, Reply, message, request_fields
from tests.support.siege import KINDS, MIB, TOKEN, Siege, bearer
from tests.support.status import refused

FIND_COMMIT = "/gitaly.CommitService/FindCommit"
LARGEST = 4 * MIB
SILENCE = "silence"
PATIENCE = {"native": 20.0, "grpcio": 0.5}
"""Seconds for an answer."""
NO_TABLE = {HEADER_TABLE_SIZE: 0}
"""So that each block of fields can be read by itself."""


def request(siege: Siege) -> Message:
    return FindCommitRequest(repository=siege.repo.message, revision=siege.oid.encode())


async def asked(client: Client, fields: Fields, body: bytes) -> Reply:
    """Sends a call with these fields and this body."""
    number, frames = client.frames_of("", fields=fields)
    client.send(frames[0]._replace(flags=END_HEADERS))
    for start in range(0, len(body), 16_384):
        client.send(data(number, body[start : start + 16_384]))
    client.send(data(number, end=True))
    return await client.reply(number)


async def answer_of(siege: Siege, kind: str, fields: Fields, body: bytes, seconds: float) -> StatusCode | str:
    """The outcome of a call on a connection of its own, `silence` when it takes longer."""
    async with await siege.client(kind) as client:
        client.greet(NO_TABLE)
        try:
            async with asyncio.timeout(seconds):
                return outcome(await asked(client, fields, body))
        except TimeoutError:
            client.abort()
            return SILENCE


def changed_fields(changed: dict[str, str | None]) -> Fields:
    """Those of a sensible request, but for some; None for none."""
    sensible = dict(request_fields(FIND_COMMIT, ("authorization", bearer())))
    return [(name, value) for name, value in (sensible | changed).items() if value is not None]


def outcome(reply: Reply) -> StatusCode | str:
    """The status, whichever block it is in; for what is not gRPC, that of HTTP, or `reset`."""
    fields = reply.head | reply.trailers
    if "grpc-status" in fields:
        return Reply(trailers=fields).code
    return "reset" if reply.reset is not None and not fields else fields[":status"]


REFUSED: dict[str, tuple[dict[str, str | None], set[StatusCode | str]]] = {
    "no service": ({":path": "/FindCommit"}, {StatusCode.UNIMPLEMENTED}),
    "no path": ({":path": "FindCommit"}, {StatusCode.UNIMPLEMENTED}),
    "root": ({":path": "/"}, {StatusCode.UNIMPLEMENTED}),
    "no such method": ({":path": "/gitaly.CommitService/None"}, {StatusCode.UNIMPLEMENTED}),
    "no such service": ({":path": "/gitaly.NoService/FindCommit"}, {StatusCode.UNIMPLEMENTED}),
    "long path": ({":path": "/" + "a" * 10_000}, {StatusCode.UNIMPLEMENTED}),
    "content type": ({"content-type": "text/html"}, {"415", StatusCode.INVALID_ARGUMENT}),
    "no content type": ({"content-type": None}, {"415", StatusCode.INVALID_ARGUMENT}),
    "GET": ({":method": "GET"}, {"405", StatusCode.INTERNAL}),
    "unknown encoding": ({"grpc-encoding": "brotli"}, {StatusCode.UNIMPLEMENTED}),
}
WRONG_TIMEOUTS = ["", "1", "S", "-1S", "1.5S", "123456789S", "1x", "1S1S", "\u0661S"]


@pytest.mark.parametrize("kind", KINDS)
async def test_requests_that_make_no_sense_are_refused(siege: Siege, kind: str, engine: str) -> None:
    found: dict[str, StatusCode | str] = {}
    body = message(request(siege))
    async with siege.lifted(kind):
        for name, (changed, _) in REFUSED.items():
            fields = changed_fields(changed)
            found[name] = await answer_of(siege, kind, fields, body, PATIENCE[engine])
        for timeout in WRONG_TIMEOUTS:
            fields = changed_fields({"grpc-timeout": timeout})
            found[timeout] = await answer_of(siege, kind, fields, body, PATIENCE[engine])
    if engine == "native":
        assert {name: found[name] for name, (_, codes) in REFUSED.items() if found[name] not in codes} == {}
        assert {found[timeout] for timeout in WRONG_TIMEOUTS} == {StatusCode.INTERNAL}


async def test_a_connection_goes_on_behind_requests_that_make_no_sense(siege: Siege) -> None:
    async with siege.lifted("tcp"), await siege.client("tcp") as client:
        client.greet(NO_TABLE)
        for _ in range(10):
            fields = changed_fields({":path": "/gitaly.CommitService/None"})
            assert outcome(await asked(client, fields, message(b""))) is StatusCode.UNIMPLEMENTED
            assert outcome(await asked(client, changed_fields({"te": None}), message(request(siege)))) in (
                StatusCode.OK,
                "reset",
            )
        reply = await asked(client, changed_fields({}), message(request(siege)))
    assert outcome(reply) is StatusCode.OK


TOKENS = {
    "none": (None, StatusCode.UNAUTHENTICATED),
    "plain secret": (f"Bearer {TOKEN}", StatusCode.UNAUTHENTICATED),
    "wrong secret": (bearer(secret="guess"), StatusCode.PERMISSION_DENIED),
    "expired": (bearer(issued=time.time() - 3600), StatusCode.PERMISSION_DENIED),
    "from the future": (bearer(issued=time.time() + 3600), StatusCode.PERMISSION_DENIED),
    "long": ("Bearer v2." + "00" * 5_000 + ".1", StatusCode.PERMISSION_DENIED),
    "many digits": (bearer().rpartition(".")[0] + "." + "9" * 10_000, StatusCode.PERMISSION_DENIED),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_wrong_tokens_are_refused(siege: Siege, kind: str) -> None:
    async with siege.lifted(kind), await siege.client(kind) as client:
        client.greet(NO_TABLE)
        for _ in range(20):
            for header, code in TOKENS.values():
                further = [("authorization", header)] if header else []
                fields = request_fields(FIND_COMMIT, *further)
                assert outcome(await asked(client, fields, message(request(siege)))) is code


BODIES = {
    "announced too large": (b"\0\xff\xff\xff\xff", {StatusCode.RESOURCE_EXHAUSTED}),
    "cut off": (message(b"abc")[:-1], {StatusCode.INTERNAL}),
    "no protobuf": (message(b"\xff" * 1000), {StatusCode.INTERNAL}),
    "unknown flag": (message(b"abc", flag=7), {StatusCode.INTERNAL}),
    "compressed without an encoding": (message(gzip.compress(b"abc"), flag=1), {StatusCode.INTERNAL}),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_messages_that_are_none_are_refused(siege: Siege, kind: str, engine: str) -> None:
    found = {}
    async with siege.lifted(kind):
        for name, (body, _) in BODIES.items():
            found[name] = await answer_of(siege, kind, changed_fields({}), body, PATIENCE[engine])
    if engine == "native":
        assert {name: found[name] for name, (_, codes) in BODIES.items() if found[name] not in codes} == {}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("size", "code"), [(LARGEST, StatusCode.INVALID_ARGUMENT), (LARGEST + 1, StatusCode.RESOURCE_EXHAUSTED)]
)
async def test_messages_may_have_four_mebibytes(siege: Siege, kind: str, size: int, code: StatusCode) -> None:
    """The greatest one reaches its handler, which has no use for such a revision."""
    largest = FindCommitRequest(repository=siege.repo.message, revision=b" " * (LARGEST - 200))
    largest.revision += b" " * (size - largest.ByteSize())
    assert largest.ByteSize() == size

    async with siege.lifted(kind), siege.served.channel(kind) as channel, refused(code):
        await CommitServiceStub(channel).FindCommit(largest, metadata=[("authorization", bearer())])


@pytest.mark.parametrize("kind", KINDS)
async def test_bombs_are_not_inflated(siege: Siege, kind: str) -> None:
    async with siege.lifted(kind):
        bomb = message(gzip.compress(bytes(64 * MIB)), flag=1)
        memory = siege.process.memory_info().rss
        for _ in range(5):
            async with await siege.client(kind) as client:
                client.greet(NO_TABLE)
                fields = request_fields(FIND_COMMIT, ("authorization", bearer()), ("grpc-encoding", "gzip"))
                assert outcome(await asked(client, fields, bomb)) is StatusCode.RESOURCE_EXHAUSTED
        assert siege.process.memory_info().rss < memory + 32 * MIB


@pytest.mark.parametrize("kind", KINDS)
async def test_metadata_beyond_its_limit_ends_the_connection(siege: Siege, kind: str, engine: str) -> None:
    more = block([(f"x-{number}", "a" * 16_000) for number in range(1100)], huffman=False)
    async with siege.lifted(kind), await siege.client(kind) as client:
        client.greet(NO_TABLE)
        client.send(Frame(HEADERS, 0, 1, block(changed_fields({}))))
        # The server listens for a while only, once it has said why it ends: who reads too late may miss it.
        reading = asyncio.create_task(client.read_all())
        with contextlib.suppress(ConnectionError):
            for start in range(0, len(more), 16_384):
                client.send(continuation(1, more[start : start + 16_384]))
                await client.flush()
                await asyncio.sleep(0)
            client.send(continuation(1, b"", end=True))
        await asyncio.wait([reading], timeout=PATIENCE[engine])
        if not reading.done():
            client.abort()
        await reading
    if engine == "native":
        assert [frame.payload[8:] for frame in client.seen if frame.kind == GOAWAY] == [
            b"header_block_too_large"
        ]
