"""A worker, from its first line to its end."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import structlog
import uvloop

from gitaly_py.daemon import parts
from gitaly_py.daemon.board import Board
from gitaly_py.daemon.coordination.line import Line
from gitaly_py.daemon.listening import inherited
from gitaly_py.daemon.memory import resident_bytes
from gitaly_py.daemon.processes.link import Link, LinkBroken, receive_first
from gitaly_py.daemon.runtime import coordinator_socket
from gitaly_py.daemon.worker import Worker
from gitaly_py.daemon.workers.messages import (
    Ask,
    Counted,
    Drain,
    Drained,
    Failed,
    Finish,
    Force,
    Orders,
    Report,
)
from gitaly_py.git.priority import come_first, companion
from gitaly_py.storage import counting
from gitaly_py.telemetry import logs, metrics, tracing
from gitaly_py.telemetry.families import collected
from gitaly_py.telemetry.slow_calls import SLOW_CALLS
from gitaly_py.telemetry.tasks import spawn

_log = structlog.get_logger("gitaly")

_COLLECT_AFTER: Final = 20_000
"""Container objects made and not freed since the last collection."""

_LAST_SECONDS: Final = 1.0
"""What git processes get to remove their lock files when the supervisor has died."""


def work(sock: socket.socket) -> int:
    """Serves until the supervisor says otherwise, or is gone; the exit status.

    sock: the worker's end of its link to the supervisor.
    """
    come_first()
    try:
        orders, descriptors = receive_first(sock)
    except LinkBroken:
        return 1
    logs.configure(orders.config.logging.format, orders.config.logging.level)
    metrics.use_latency_buckets(orders.config.prometheus.grpc_latency_buckets)
    # A terminal's signals are for the supervisor, which tells its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tracing.start()
    try:
        return uvloop.run(_Serving(sock, orders, descriptors).run())
    finally:
        tracing.stop()
        logs.flush()


class _Serving:
    """A worker from its orders to its end."""

    def __init__(self, sock: socket.socket, orders: Orders, descriptors: list[int]) -> None:
        board, *listeners = descriptors
        self._sock = sock
        self._orders = orders
        self._board = Board(board)
        self._listeners = listeners
        self._force = asyncio.Event()
        self._finish: asyncio.Queue[Drain | Finish] = asyncio.Queue()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._line: Line
        self._worker: Worker
        self._link: Link
        self._loop: asyncio.AbstractEventLoop

    async def run(self) -> int:
        """The exit status."""
        self._loop = asyncio.get_running_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(None, "asyncio", companion()))
        self._link = Link(self._sock, self._receive, self._lost)
        counting.report_to(self._counted)
        try:
            self._line = Line(coordinator_socket(self._orders.runtime))
            self._worker = Worker(self._orders, self._board, self._line.desk, self._line.leases)
            try:
                external, internal = inherited(self._listeners, self._orders.secure, self._orders.config)
                await self._worker.start(external, internal)
                return await self._serve()
            finally:
                await self._worker.close()
                self._line.close()
        except Exception as error:  # noqa: BLE001 - the border of the process: the supervisor hears of any error
            if not isinstance(error, OSError | parts.ApiClientError):
                _log.error("worker failed", error=str(error), exc_info=error)
            self._link.send(Failed(str(error)))
            return 1
        finally:
            self._link.close()

    async def _serve(self) -> int:
        _spare_the_collector()
        _spare_the_generators()
        self._link.send(self._report(0, everything=True))
        self._loop.add_signal_handler(signal.SIGTERM, self._finish.put_nowait, Finish(self._grace))
        order = await self._finish.get()
        clean = await self._worker.drain(order.grace, self._force)
        self._link.send(Drained(clean))
        if isinstance(order, Drain):
            order = await self._finish.get()
        await self._worker.finish(order.grace, self._force)
        self._link.send(self._report(0))
        return 0

    def _counted(self, storage_path: str, path: str, number: int) -> None:
        counted = Counted(storage_path, path, number)
        self._loop.call_soon_threadsafe(self._link.send, counted)

    @property
    def _grace(self) -> float:
        return self._orders.config.graceful_restart_timeout.seconds

    def _receive(self, message: Any) -> None:
        if isinstance(message, Ask):
            self._link.send(self._report(message.number))
        elif isinstance(message, Drain | Finish):
            self._finish.put_nowait(message)
        elif isinstance(message, Force):
            self._force.set()

    def _report(self, number: int, *, everything: bool = False) -> Report:
        return Report(
            number,
            families=collected(zeros=everything),
            connections=self._worker.connections,
            calls=metrics.running_calls(),
            rss_bytes=resident_bytes(),
            limiters=self._worker.limiters(),
            slow_calls=SLOW_CALLS.slowest(),
            git_version=self._worker.git_version,
        )

    def _lost(self) -> None:
        """The supervisor is gone: nobody will ever end this process or what it has started."""
        spawn(self._abandon(), name="end without supervisor", owner=self._tasks)

    async def _abandon(self) -> None:
        _log.error("the supervisor is gone, ending")
        ending = spawn(self._worker.abandon(), name="end of git", owner=self._tasks)
        await asyncio.wait({ending}, timeout=_LAST_SECONDS)
        self._worker.kill()
        logs.flush()
        os._exit(1)


def _spare_the_collector() -> None:
    """Keeps the garbage collector from walking over what start-up left, for as long as the worker lives.

    Modules, descriptors and handlers are hundreds of thousands of objects that never become garbage;
    calls leave few cycles, so that a rarer collection costs no memory worth naming.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 50)


def _spare_the_generators() -> None:
    """Keeps the event loop from listing all asynchronous generators, which costs each some microseconds.

    It would close those of the list at its end. Every call closes its own, and one that is forgotten is still
    closed when it is collected.
    """
    sys.set_asyncgen_hooks(firstiter=None)
