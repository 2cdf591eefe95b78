"""HTTP/2 clients that keep the daemon busy with what brings nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator

import pytest

from gitaly_py.pb.commit_pb2 import FindCommitRequest
from gitaly_py.rpc.http2.errors import ErrorCode
from tests.support.http2 import (
    END_STREAM,
    GOAWAY,
    HEADERS,
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
from tests.support.siege import KINDS, Siege, bearer

FIND_COMMIT = "/gitaly.CommitService/FindCommit"
FRAMES = 10_000
_SECONDS = 20
_MOMENT = {"native": 5, "grpcio": 0.5}
"""Seconds; grpcio has a patience of its own and need not end the connection."""
_CHUNK = 65_536

Flood = Callable[[Siege], Iterator[Frame]]


def _fields() -> list[tuple[str, str]]:
    return request_fields(FIND_COMMIT, ("authorization", bearer()))


def rapid_resets(siege: Siege) -> Iterator[Frame]:
    """Calls that are taken back at once (CVE-2023-44487)."""
    head = headers(1, _fields())
    request = message(FindCommitRequest(repository=siege.repo.message, revision=siege.oid.encode()))
    for stream in range(1, FRAMES, 2):
        yield from (head._replace(stream=stream), data(stream, request, end=True), rst_stream(stream))


def made_you_resets(_: Siege) -> Iterator[Frame]:
    """Calls whose window makes the server take them back (CVE-2025-8671)."""
    head = headers(1, _fields())
    for stream in range(1, FRAMES, 2):
        yield from (head._replace(stream=stream), window_update(stream, 0))


def settings_flood(_: Siege) -> Iterator[Frame]:
    for number in range(FRAMES):
        yield settings({4: 65_535 + number})


def ping_flood(_: Siege) -> Iterator[Frame]:
    for number in range(FRAMES):
        yield ping(number.to_bytes(8))


def empty_data(_: Siege) -> Iterator[Frame]:
    yield headers(1, _fields())
    for _number in range(FRAMES):
        yield data(1)


def priorities(_: Siege) -> Iterator[Frame]:
    for number in range(FRAMES):
        yield priority(2 * number + 1)


def window_updates(_: Siege) -> Iterator[Frame]:
    for _number in range(FRAMES):
        yield window_update(0, 1)


def endless_headers(_: Siege) -> Iterator[Frame]:
    """A header block that never ends (CVE-2024-27316)."""
    yield Frame(HEADERS, END_STREAM, 1, block(_fields()))
    part = block([("x-more", "a" * 1000)])
    for _number in range(FRAMES):
        yield continuation(1, part)


def unknown_frames(_: Siege) -> Iterator[Frame]:
    for number in range(FRAMES):
        yield Frame(200, 0, number % 7, b"")


FLOODS: list[Flood] = [
    rapid_resets,
    made_you_resets,
    settings_flood,
    ping_flood,
    empty_data,
    priorities,
    window_updates,
    endless_headers,
    unknown_frames,
]
HARMLESS = (window_updates,)
"""Each frame gives something, if little, and costs next to nothing."""


async def pour(client: Client, octets: bytes) -> None:
    """Sends until the daemon has had enough, or all is said."""
    with contextlib.suppress(ConnectionError):
        for start in range(0, len(octets), _CHUNK):
            client.send(octets[start : start + _CHUNK])
            await client.flush()


async def last_word(client: Client, seconds: float) -> ErrorCode | None:
    """Reads for some seconds, or until the daemon ends the connection; the code of its GOAWAY, if any."""
    code = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (frame := await client.read()) is not None:
                if frame.kind == GOAWAY:
                    code = ErrorCode(int.from_bytes(frame.payload[4:8]))
    return code


def octets_of(flood: Flood, siege: Siege) -> bytes:
    """All of a flood, made before it begins, since it must come fast."""
    return b"".join(frame.octets for frame in flood(siege))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("flood", FLOODS)
async def test_floods_hold_up_nobody(siege: Siege, kind: str, flood: Flood, engine: str) -> None:
    octets = octets_of(flood, siege)
    async with siege.lifted(kind), await siege.client(kind) as client, asyncio.timeout(_SECONDS):
        client.greet()
        poured = asyncio.create_task(pour(client, octets))
        code = await last_word(client, 0.5 if flood in HARMLESS else _MOMENT[engine])
        client.abort()
        await poured
    if engine == "native" and flood not in HARMLESS:
        assert client.ended
        assert code in (ErrorCode.ENHANCE_YOUR_CALM, None)


async def test_floods_on_many_connections_hold_up_nobody(siege: Siege) -> None:
    floods = [octets_of(flood, siege) for flood in (rapid_resets, settings_flood, ping_flood)]

    async def once(octets: bytes) -> None:
        async with await siege.client("tcp") as client:
            client.greet()
            await pour(client, octets)
            client.abort()

    async with siege.lifted("tcp"), asyncio.timeout(_SECONDS):
        await asyncio.gather(*(once(octets) for octets in floods * 5))
