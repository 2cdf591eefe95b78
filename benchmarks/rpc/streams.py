"""Streams of large messages, and many streams beside one that is stalled."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from statistics import median

import grpc
from google.protobuf.wrappers_pb2 import BytesValue, UInt32Value

from benchmarks.harness import Row
from benchmarks.rpc.connection import DATA, END_STREAM, Broken, Connection, grant
from benchmarks.rpc.daemon import MESSAGE_BYTES, SERVICE
from benchmarks.rpc.engines import Client, Server
from benchmarks.rpc.metadata import Metadata, block_maker

_WARM_UP = 64  # messages
_WINDOW = 65535
_FIRST = 1  # stream of a connection
_DRIPS = 8  # messages of one stream: several times the window


async def rows(client: Client, servers: list[Server], quick: bool) -> list[Row]:
    """The figures of streams; `servers` are the one that is measured and its reference."""
    megabytes, rounds = (128, 3) if quick else (512, 5)
    messages = megabytes * 10**6 // MESSAGE_BYTES
    found = []
    for side, work in (("server", download), ("client", upload)):
        (spent, elapsed), (other_spent, other_elapsed) = await client.alternating(
            rounds, servers, work, messages
        )
        name = f"{side} stream of {MESSAGE_BYTES >> 10} KiB messages"
        found += [
            Row(f"{name}: CPU a GB", spent, other_spent, "s", 0.5),
            Row(f"{name}: time a GB", elapsed, other_elapsed, "s"),
        ]
    return found + await _beside_a_stalled_one(client, servers, quick)


async def _beside_a_stalled_one(client: Client, servers: list[Server], quick: bool) -> list[Row]:
    streams, rounds = (100, 3) if quick else (1000, 3)
    alone = await client.alternating(rounds, servers, together, streams, False)
    beside = await client.alternating(rounds, servers, together, streams, True)
    found = []
    for server, (typical, longest), (free_typical, free_longest) in zip(servers, beside, alone, strict=True):
        name = f"{server.engine}: {streams} streams, one more stalled against none"
        found += [
            Row(f"{name}: median", typical * 1e3, free_typical * 1e3, "ms"),
            Row(f"{name}: longest", longest * 1e3, free_longest * 1e3, "ms"),
        ]
    return found


Work = Callable[[Server, int], tuple[float, float]]


def download(server: Server, messages: int) -> tuple[float, float]:
    """Seconds a GB of a server stream read by grpcio: processor time of the server, time."""
    with grpc.insecure_channel(f"unix:{server.socket}") as channel:
        call = channel.unary_stream(f"/{SERVICE}/Download", UInt32Value.SerializeToString)

        def work(count: int) -> None:
            if sum(1 for _ in call(UInt32Value(value=count))) != count:
                raise Broken("messages are missing")

        work(_WARM_UP)
        return _timed(server, work, messages)


def upload(server: Server, messages: int) -> tuple[float, float]:
    """Seconds a GB of a client stream written by grpcio: processor time of the server, time."""
    message = BytesValue(value=bytes(MESSAGE_BYTES)).SerializeToString()
    with grpc.insecure_channel(f"unix:{server.socket}") as channel:
        call = channel.stream_unary(f"/{SERVICE}/Upload", response_deserializer=UInt32Value.FromString)

        def work(count: int) -> None:
            if call(message for _ in range(count)).value != count:
                raise Broken("messages are missing")

        work(_WARM_UP)
        return _timed(server, work, messages)


def _timed(server: Server, work: Callable[[int], None], messages: int) -> tuple[float, float]:
    spent, since = server.cpu_seconds(), time.perf_counter()
    work(messages)
    gigabytes = messages * MESSAGE_BYTES / 1e9
    return (server.cpu_seconds() - spent) / gigabytes, (time.perf_counter() - since) / gigabytes


def together(server: Server, streams: int, stalled: bool) -> tuple[float, float]:
    """Seconds that streams of one connection take which begin at the same time: median, longest.

    stalled: whether one more stream is open, which has filled its window and is never granted more. Raises
    Broken when the server gives up that one or fails another, BlockingIOError when others wait for it.
    """
    with closing(Connection(server.socket, window=_WINDOW)) as connection:
        connection.settle()
        make_block = block_maker(f"/{SERVICE}/Drip", Metadata.NONE, connection.table_size)
        message = UInt32Value(value=_DRIPS).SerializeToString()
        calls = connection.requests(streams + stalled, make_block, message)
        if stalled:
            connection.send(calls.pop(0))
            _fill(connection)
        since = time.perf_counter()
        connection.send(b"".join(calls))
        times = [at - since for at in _ends(connection, streams, _FIRST if stalled else None)]
        connection.verify(streams)
    return median(times), max(times)


def _fill(connection: Connection) -> None:
    """Reads until the window of the only stream is full."""
    left = _WINDOW
    while left > 0:
        left -= sum(len(payload) for kind, _, _, payload in connection.receive() if kind == DATA)


def _ends(connection: Connection, count: int, starved: int | None) -> list[float]:
    """When each of `count` streams ended; all but `starved` are granted what they send."""
    ends: list[float] = []
    while len(ends) < count:
        owed: dict[int, int] = {}
        for kind, flags, stream, payload in connection.receive():
            if flags & END_STREAM:
                ends.append(time.perf_counter())
                owed.pop(stream, None)
            elif kind == DATA and payload and stream != starved:
                owed[stream] = owed.get(stream, 0) + len(payload)
        connection.send(b"".join(grant(stream, size) for stream, size in owed.items()))
    return ends
