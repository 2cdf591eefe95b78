"""Empty unary calls: round trip of one caller, rate and processor time of 32."""

from __future__ import annotations

import itertools
import select
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from statistics import median

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from benchmarks.harness import Row, seconds
from benchmarks.rpc.connection import Connection, ended
from benchmarks.rpc.engines import Client, Server
from benchmarks.rpc.metadata import Metadata, block_maker, for_grpcio

CALLERS = 32
CHECK = "/grpc.health.v1.Health/Check"

_WARM_UP = 10  # calls of each caller before the clock starts
_VARIANTS = [
    (Metadata.NONE, 1, True),
    (Metadata.NONE, 8, True),
    (Metadata.CORE, 1, True),
    (Metadata.CORE, 8, True),
    (Metadata.GO, 1, True),
    (Metadata.LARGE_TABLE, 1, False),
]
"""Metadata, connections that share the callers, whether a limit is asked for."""


async def rows(client: Client, servers: list[Server], quick: bool) -> list[Row]:
    """The figures of empty calls; `servers` are the one that is measured and its reference."""
    turns, calls, rounds = (100, 320, 3) if quick else (2000, 2400, 9)
    found = []
    for kind in (Metadata.NONE, Metadata.CORE):
        name = f"empty, {kind.value}, one caller: round trip"
        for note, work in (("", round_trips), (", quick client", quick_round_trips)):
            measured, reference = await client.run(work, servers, kind, turns)
            found.append(Row(name + note, measured * 1e6, reference * 1e6, "µs", 0.4))
    for kind, connections, asked in _VARIANTS:
        (spent, turn, busy), (other_spent, other_turn, _) = await client.alternating(
            rounds, servers, load, kind, connections, calls
        )
        name = f"empty, {kind.value}, {CALLERS} callers"
        name += f", {connections} connections" if connections > 1 else ""
        found += [
            Row(f"{name}: CPU", spent * 1e6, other_spent * 1e6, "µs", 0.35 if asked else None),
            Row(f"{name}: time a call", turn * 1e6, other_turn * 1e6, "µs", 0.4 if asked else None),
            Row("  of that the client was busy (reference: server's time)", busy * 1e6, turn * 1e6, "µs"),
        ]
    return found


def round_trips(servers: list[Server], kind: Metadata, count: int) -> list[float]:
    """Median seconds of one call of a synchronous grpcio client, for each server.

    Most of the shorter ones is the client's: it takes 0.2 ms when the answer comes at once.
    """
    empty = HealthCheckRequest()
    timeout = None if kind is Metadata.NONE else 30
    with ExitStack() as channels:
        stubs = [
            HealthStub(channels.enter_context(grpc.insecure_channel(f"unix:{server.socket}")))
            for server in servers
        ]
        metadata = [for_grpcio(kind) for _ in range(_WARM_UP + count)]
        return _in_turns(
            [
                [partial(stub.Check, empty, metadata=each, timeout=timeout) for each in metadata]
                for stub in stubs
            ]
        )


def quick_round_trips(servers: list[Server], kind: Metadata, count: int) -> list[float]:
    """The same with a client that sends prepared bytes and only waits for the end of the answer."""
    with ExitStack() as closing_all:
        opened = [closing_all.enter_context(closing(Connection(server.socket))) for server in servers]
        for connection in opened:
            connection.settle()
        times = _in_turns(
            [
                [
                    partial(_ask, connection, data)
                    for data in connection.requests(
                        _WARM_UP + count, block_maker(CHECK, kind, connection.table_size), b""
                    )
                ]
                for connection in opened
            ]
        )
        for connection in opened:
            connection.verify(_WARM_UP + count)
        return times


def _ask(connection: Connection, data: bytes) -> None:
    connection.send(data)
    while not ended(connection.receive()):
        pass


def _in_turns(calls: list[list[Callable[[], object]]]) -> list[float]:
    """Median seconds of the calls to each server, but for the first.

    The servers take turns call by call, as a server finds its caches cold when calls come one at a time.
    """
    times: list[list[float]] = [[] for _ in calls]
    for turn in zip(*calls, strict=True):
        for call, found in zip(turn, times, strict=True):
            found.append(seconds(call))
    return [median(found[_WARM_UP:]) for found in times]


def load(server: Server, kind: Metadata, connections: int, calls: int) -> tuple[float, float, float]:
    """Seconds a call: processor time of the server, time, processor time of this client.

    CALLERS calls are under way at any time, shared among the connections. Raises Broken when one fails.
    """
    with ExitStack() as closing_all:
        opened = [closing_all.enter_context(closing(_Caller(server, kind))) for _ in range(connections)]
        at_once, share = CALLERS // connections, calls // connections
        warm_up = at_once * _WARM_UP
        for caller in opened:
            caller.prepare(warm_up + share)
        _drive(opened, at_once, warm_up)
        spent, since, own = server.cpu_seconds(), time.perf_counter(), time.process_time()
        _drive(opened, at_once, share)
        numbers = (server.cpu_seconds() - spent, time.perf_counter() - since, time.process_time() - own)
        for caller in opened:
            caller.connection.verify(warm_up + share)
    spent, elapsed, own = (number / (share * connections) for number in numbers)
    return spent, elapsed, own


class _Caller:
    """Some callers that share one connection: for each call that ends, the next one begins."""

    def __init__(self, server: Server, kind: Metadata) -> None:
        self.connection = Connection(server.socket)
        self.connection.settle()
        self._make_block: Callable[[], bytes] = block_maker(CHECK, kind, self.connection.table_size)
        self._prepared: list[bytes] = []
        self._waiting = iter(self._prepared)

    def prepare(self, count: int) -> None:
        """Makes the bytes of the next calls."""
        self._prepared += self.connection.requests(count, self._make_block, b"")

    def begin(self, at_once: int, count: int) -> None:
        """Sends the first of the next `count` calls."""
        self._waiting = iter(self._prepared[:count])
        del self._prepared[:count]
        self._send(at_once)

    def turn(self) -> int:
        """Takes what has come and sends as many calls as have ended; their number."""
        done = ended(self.connection.receive())
        if done:
            self._send(done)
        return done

    def close(self) -> None:
        self.connection.close()

    def _send(self, count: int) -> None:
        data = b"".join(itertools.islice(self._waiting, count))
        if data:
            self.connection.send(data)


def _drive(callers: list[_Caller], at_once: int, count: int) -> None:
    """Makes `count` calls with each of the callers."""
    by_descriptor = {caller.connection.socket.fileno(): caller for caller in callers}
    with select.epoll() as epoll:
        for descriptor in by_descriptor:
            epoll.register(descriptor, select.EPOLLIN)
        for caller in callers:
            caller.begin(at_once, count)
        left = count * len(callers)
        while left:
            for descriptor, _ in epoll.poll():
                left -= by_descriptor[descriptor].turn()
