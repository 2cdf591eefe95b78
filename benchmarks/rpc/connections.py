"""What many connections cost: memory while each makes a call a second, and while none does anything."""

from __future__ import annotations

import resource
import select
import time
from contextlib import ExitStack, closing
from pathlib import Path

import psutil

from benchmarks.harness import Row
from benchmarks.rpc.connection import Connection, ended
from benchmarks.rpc.engines import Client, Server, servers
from benchmarks.rpc.metadata import Metadata, block_maker
from benchmarks.rpc.unary import CHECK, load

_DESCRIPTORS = {"native": 1, "grpcio": 3}  # of a daemon for each connection: grpcio's passes a relay
_SPARE_DESCRIPTORS = 500
_WARM_UP_CALLS = 640
_SETTLE_SECONDS = 1.0


async def rows(client: Client, root: Path, quick: bool) -> list[Row]:
    """The figures of many connections; each daemon is fresh, so that nothing freed before is used again."""
    count, seconds, idle = (200, 2, 1000) if quick else (1000, 10, 10_000)
    async with servers(root / "calling") as pair:
        (grown, spent), (other_grown, other_spent) = [
            await client.run(calling, server, count, seconds) for server in pair
        ]
    name = f"{count} connections, a call a second each"
    found = [
        Row(f"{name}: memory growth", grown / 1e6, other_grown / 1e6, "MB", 0.5),
        Row(f"{name}: CPU a call", spent * 1e6, other_spent * 1e6, "µs"),
    ]
    async with servers(root / "idle") as pair:
        numbers = [_possible(server.engine, idle) for server in pair]
        each = [
            await client.run(waiting, server, number) for server, number in zip(pair, numbers, strict=True)
        ]
    name = f"{numbers[0]} idle connections: memory of each"
    return [*found, Row(name, each[0] / 1e3, each[1] / 1e3, "kB")]


def _possible(engine: str, wanted: int) -> int:
    """How many connections a daemon can have; says so when that is less than what is wanted."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    needed = _DESCRIPTORS[engine]
    possible = min((limit - _SPARE_DESCRIPTORS) // needed, wanted)
    if possible < wanted:
        print(
            f"{engine}: {possible} idle connections instead of {wanted}, as each takes {needed} descriptors"
            f" and no more than {limit} may be had"
        )
    return possible


def calling(server: Server, count: int, seconds: int) -> tuple[float, float]:
    """The most memory in bytes that so many connections took, and processor time of the server a call.

    Each connection makes a call a second with the metadata that Rails sends, evenly spread.
    """
    process = _warm(server)
    with ExitStack() as opened:
        before = _own_memory(process)
        connections = _connected(opened, server, count)
        calls = {
            connection: connection.requests(
                seconds, block_maker(CHECK, Metadata.CORE, connection.table_size), b""
            )
            for connection in connections
        }
        schedule = [(connection, data) for turn in zip(*calls.values(), strict=True)
                    for connection, data in zip(connections, turn, strict=True)]  # fmt: skip
        spent, grown = server.cpu_seconds(), 0
        for second in range(seconds):
            _make(connections, schedule[second * count : (second + 1) * count])
            grown = max(grown, _own_memory(process) - before)
        spent = server.cpu_seconds() - spent
        for connection in connections:
            connection.verify(seconds)
    return grown, spent / len(schedule)


def waiting(server: Server, count: int) -> float:
    """Bytes of memory of each of so many connections that have sent their settings and nothing else."""
    process = _warm(server)
    with ExitStack() as opened:
        before = _own_memory(process)
        _connected(opened, server, count)
        time.sleep(_SETTLE_SECONDS)
        return (_own_memory(process) - before) / count


def _connected(opened: ExitStack, server: Server, count: int) -> list[Connection]:
    connections = []
    for _ in range(count):
        connection = opened.enter_context(closing(Connection(server.socket)))
        connection.settle()
        connections.append(connection)
    return connections


def _make(connections: list[Connection], schedule: list[tuple[Connection, bytes]]) -> None:
    """Makes these calls, spread over a second, and waits for their answers."""
    by_descriptor = {connection.socket.fileno(): connection for connection in connections}
    since, sent, done = time.monotonic(), 0, 0
    with select.epoll() as epoll:
        for descriptor in by_descriptor:
            epoll.register(descriptor, select.EPOLLIN)
        while done < len(schedule):
            due = min(int((time.monotonic() - since) * len(schedule)) + 1, len(schedule))
            for connection, data in schedule[sent:due]:
                connection.send(data)
            sent = due
            pause = since + sent / len(schedule) - time.monotonic()
            for descriptor, _ in epoll.poll(max(pause, 0) if sent < len(schedule) else None):
                done += ended(by_descriptor[descriptor].receive())
    time.sleep(max(since + 1 - time.monotonic(), 0))


def _warm(server: Server) -> psutil.Process:
    """Lets the daemon make what it makes once for all connections."""
    load(server, Metadata.CORE, 1, _WARM_UP_CALLS)
    return psutil.Process(server.pid)


def _own_memory(process: psutil.Process) -> int:
    """Bytes that no other process shares."""
    return int(process.memory_full_info().uss)
