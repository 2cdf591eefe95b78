"""A process of clients: many at once in one thread, which reads, counts and throws away."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import select
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.packs.calls import Broken
from benchmarks.packs.connection import Connection
from benchmarks.packs.discarding import Fetch, Plain
from benchmarks.packs.requests import Request

LARGE_WINDOW = 16 << 20
SMALL_WINDOW = 256 << 10
"""What workhorse and gitlab-shell grant."""

_PATIENCE = 120.0
"""Seconds without a byte on any connection, after which the server is taken for dead."""


@dataclass(frozen=True)
class Load:
    """What the clients do: all requests once, in their order.

    address: `tcp://HOST:PORT` or `unix:PATH`. clients: how many have a request under way at any time; they
    share `connections`, 0 for one each. window: of each side channel, in bytes. keep: folder for the answers,
    each a file named by its number, or None to throw them away. bare: size of the file when the server is the
    bare one, which takes any request for the same.
    """

    address: str
    requests: Sequence[Request]
    clients: int = 1
    connections: int = 0
    window: int = LARGE_WINDOW
    keep: str | None = None
    bare: int = 0


@dataclass(frozen=True)
class Fetched:
    """One fetch. first, seconds: from the call to the first byte of interest, and to the end."""

    first: float
    seconds: float
    received: int


@dataclass
class Outcome:
    """What a load came to. seconds: of all of it, with connecting. cpu: seconds of the clients' process."""

    fetches: list[Fetched] = field(default_factory=list)
    seconds: float = 0.0
    cpu: float = 0.0

    @property
    def received(self) -> int:
        """Bytes of all answers."""
        return sum(fetch.received for fetch in self.fetches)


class LoadClient:
    """Runs loads in a process of its own. core: the only one it may use, None for any."""

    def __init__(self, core: int | None = None) -> None:
        self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _prepare, (core,))

    def run(self, load: Load) -> Outcome:
        """What the load came to. Raises Broken when a call failed, OSError."""
        return self._pool.submit(perform, load).result()

    def close(self) -> None:
        self._pool.shutdown()


def perform(load: Load) -> Outcome:
    """Does a load in this process. Raises as `LoadClient.run`."""
    outcome = Outcome()
    since, own = time.perf_counter(), time.process_time()
    with contextlib.ExitStack() as opened:
        connections: list[Connection | Plain] = []
        for _ in range(load.connections or load.clients):
            connection = (
                Plain(load.address, load.bare) if load.bare else Connection(load.address, load.window)
            )
            opened.callback(connection.close)
            connections.append(connection)
        _drive(connections, load, outcome, opened)
        outcome.seconds = time.perf_counter() - since
        outcome.cpu = time.process_time() - own
        for connection in connections:
            connection.verify()
    return outcome


def _drive(
    connections: list[Connection | Plain], load: Load, outcome: Outcome, opened: contextlib.ExitStack
) -> None:
    fetches = _fetches(load, opened)
    by_descriptor = {connection.socket.fileno(): connection for connection in connections}
    with select.epoll() as epoll:
        for descriptor in by_descriptor:
            epoll.register(descriptor, select.EPOLLIN)
        for number in range(min(load.clients, len(load.requests))):
            connections[number % len(connections)].begin(next(fetches))
        left = len(load.requests)
        while left:
            events = epoll.poll(_PATIENCE)
            if not events:
                raise Broken(f"nothing came for {_PATIENCE:g} seconds")
            for descriptor, _ in events:
                connection = by_descriptor[descriptor]
                for fetch in connection.receive():
                    left -= 1
                    outcome.fetches.append(_fetched(fetch))
                    if following := next(fetches, None):
                        connection.begin(following)


def _fetches(load: Load, opened: contextlib.ExitStack) -> Iterator[Fetch]:
    for number, request in enumerate(load.requests):
        fetch = Fetch(request)
        if load.keep is not None:
            file = open(Path(load.keep, str(number)), "wb")  # noqa: SIM115 - open as long as the load
            fetch.keep = opened.enter_context(file)
        yield fetch


def _fetched(fetch: Fetch) -> Fetched:
    first = fetch.first - fetch.started if fetch.first else float("nan")
    return Fetched(first, fetch.ended - fetch.started, fetch.received)


def _prepare(core: int | None) -> None:
    """As many connections as may be had, and the core that was chosen."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if core is not None:
        os.sched_setaffinity(0, {core})
