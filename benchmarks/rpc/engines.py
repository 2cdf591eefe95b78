"""The daemons of a comparison, the process of their client, and the processor time of each."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TypeVar

import grpc
import psutil

from tests.support.daemon import Daemon

ENGINES = os.environ.get("BENCHMARK_ENGINES", "native,grpcio").split(",")
"""The engine that is measured, and the one it is compared with."""

_EVERYTHING_LOGGED = {"GITALY_LOG_REQUEST_METHOD_DENY_PATTERN": "", "GRPC_ENABLE_FORK_SUPPORT": "0"}
_SCHEDULED = 2

Result = TypeVar("Result")


@dataclass(frozen=True)
class Server:
    """A running daemon, as a client process has to know it. socket: path of its unix socket."""

    engine: str
    pid: int
    socket: str

    def cpu_seconds(self) -> float:
        """Processor time of all its threads so far, to the nanosecond: the clock of another process."""
        return time.clock_gettime((~self.pid << 3) | _SCHEDULED)


class Client:
    """Runs functions in a process of its own, on another core than the daemons.

    Keeps account of what others take of the daemons' core meanwhile, which makes times longer and CPU not.
    """

    def __init__(self) -> None:
        self._elapsed = self._foreign = 0.0
        self._pool = ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), os.sched_setaffinity, (0, {_cores()[-1]})
        )

    async def run(self, work: Callable[..., Result], *arguments: object) -> Result:
        """What `work(*arguments)` returns there, or raises."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, _travelling, work, *arguments)

    async def alternating(
        self, rounds: int, servers: list[Server], work: Callable[..., tuple[float, ...]], *arguments: object
    ) -> list[tuple[float, ...]]:
        """The median of each number that `work(server, *arguments)` gives, for each server.

        The servers take turns, so that noise meets all of them alike.
        """
        found: list[list[tuple[float, ...]]] = [[] for _ in servers]
        for _ in range(rounds):
            for server, numbers in zip(servers, found, strict=True):
                with self._accounted(server):
                    numbers.append(await self.run(work, server, *arguments))
        return [tuple(median(column) for column in zip(*numbers, strict=True)) for numbers in found]

    @property
    def disturbance(self) -> float:
        """The part of the daemons' core that neither of them had while they took turns."""
        return self._foreign / self._elapsed if self._elapsed else 0.0

    def close(self) -> None:
        self._pool.shutdown()

    @contextmanager
    def _accounted(self, server: Server) -> Iterator[None]:
        since, busy, spent = time.perf_counter(), _busy_seconds(), server.cpu_seconds()
        yield
        self._elapsed += time.perf_counter() - since
        self._foreign += _busy_seconds() - busy - (server.cpu_seconds() - spent)


class CallFailed(Exception):
    """A call that failed in the client process: code and text of its status."""


def _travelling(work: Callable[..., Result], *arguments: object) -> Result:
    """Runs `work`. Raises CallFailed for grpc's errors, which can't be sent from one process to another."""
    try:
        return work(*arguments)
    except grpc.RpcError as error:
        raise CallFailed(str(error)) from None


@contextmanager
def client() -> Iterator[Client]:
    """A client process; as many descriptors as may be had, for it and for the daemons."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    started = Client()
    try:
        yield started
    finally:
        started.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@asynccontextmanager
async def servers(root: Path) -> AsyncIterator[list[Server]]:
    """A daemon of each engine, with every call logged and the service of `daemon.py`, on the first core."""
    root.mkdir()
    daemons = [
        prepared(root / f"{number}-{engine}", engine, program="benchmarks.rpc.daemon")
        for number, engine in enumerate(ENGINES)
    ]
    try:
        for daemon in daemons:
            start(daemon)
        yield [
            Server(engine, daemon.worker.pid, str(daemon.socket))
            for engine, daemon in zip(ENGINES, daemons, strict=True)
        ]
    finally:
        for daemon in daemons:
            daemon.stop()


def prepared(root: Path, engine: str, *, program: str = "gitaly_py") -> Daemon:
    """A daemon that is not started yet."""
    root.mkdir()
    return Daemon(root, engine=engine, environment=_EVERYTHING_LOGGED, program=program)


def start(daemon: Daemon) -> None:
    """Starts a daemon whose threads all stay on the first core."""
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {_cores()[0]})  # of this thread; what it starts inherits it
    try:
        daemon.start()
    finally:
        os.sched_setaffinity(0, everywhere)


def _busy_seconds() -> float:
    """How long the daemons' core has not been idle."""
    times = psutil.cpu_times(percpu=True)[_cores()[0]]
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0))
