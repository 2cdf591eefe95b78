"""Binds the sockets, starts and keeps the workers, and ends them on a signal (daemon.md 1.4, 2.5).

SIGHUP reads the configuration again: new workers take over, the old ones finish their calls. A configuration
that can't be used changes nothing.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import structlog
import uvloop
from prometheus_client import Metric

from gitaly_py.config import Config, ConfigError, check_startup, load, notices
from gitaly_py.daemon.board import PLACES, Board
from gitaly_py.daemon.coordination.keeper import Keeper
from gitaly_py.daemon.descriptors import raise_descriptor_limit
from gitaly_py.daemon.listening import Sockets, activated
from gitaly_py.daemon.machine import Machine
from gitaly_py.daemon.notify import ServiceManager
from gitaly_py.daemon.orphans import adopt_orphans, end_orphans
from gitaly_py.daemon.parts import load_modules
from gitaly_py.daemon.processes.child import Child
from gitaly_py.daemon.processes.nursery import Nursery
from gitaly_py.daemon.reports import Reports
from gitaly_py.daemon.runtime import RuntimeDirectory, RuntimeDirectoryError, coordinator_socket
from gitaly_py.daemon.status.gathering import Status
from gitaly_py.daemon.upkeep import Upkeep
from gitaly_py.daemon.workers.crew import Crew, count_of
from gitaly_py.daemon.workers.messages import Orders
from gitaly_py.daemon.workers.process import WorkerFailed, WorkerProcess
from gitaly_py.git.errors import ControlGroupsUnusable
from gitaly_py.limits.state import LimiterState
from gitaly_py.telemetry import logs, metrics
from gitaly_py.telemetry.tasks import end_all, spawn
from gitaly_py.transport.listeners import Listener, listen_unix

if TYPE_CHECKING:
    from gitaly_py.daemon.prometheus import PrometheusEndpoint

_log = structlog.get_logger("gitaly")

_STOPPING: Final = {signal.SIGTERM: "terminated", signal.SIGINT: "interrupt"}


class UncleanStop(Exception):
    """Calls were cut when the daemon stopped."""


def supervise(config: Config, path: str) -> int:
    """Runs the daemon; the exit status. path: of the configuration."""
    try:
        logs.configure(config.logging.format, config.logging.level)
        raise_descriptor_limit()
        adopt_orphans()
        manager, passed = ServiceManager(), activated()
        load_modules(config)
        nursery = Nursery(passed)
        metrics.use_latency_buckets(config.prometheus.grpc_latency_buckets)
        uvloop.run(Supervisor(config, path, nursery, Sockets(passed), manager).run())
    except Exception as error:  # noqa: BLE001 - the border of the process: every error becomes its exit status
        _log.error("unclean Gitaly shutdown", error=str(error), exc_info=None if _expected(error) else error)
        return 1
    _log.info("Gitaly shutdown")
    return 0


def _expected(error: Exception) -> bool:
    return isinstance(
        error, UncleanStop | WorkerFailed | ControlGroupsUnusable | RuntimeDirectoryError | OSError
    )


class Supervisor:
    """Owns the sockets and the workers, from start to stop."""

    def __init__(
        self, config: Config, path: str, nursery: Nursery, sockets: Sockets, manager: ServiceManager
    ) -> None:
        self._config = config
        self._path = path
        self._nursery = nursery
        self._stop = asyncio.Event()
        self._force = asyncio.Event()
        self._reload = asyncio.Event()
        self._signal = ""
        self._numbers = itertools.count(1)
        self._workers: set[WorkerProcess] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._leaving: set[asyncio.Task[Any]] = set()
        # Held while there are children that are neither workers nor orphans: `config_command`, and workers
        # whose process id is not known yet.
        self._starting = asyncio.Lock()
        self._manager = manager
        self._reports = Reports()
        self._sockets = sockets
        self._board = Board.new()
        self._upkeep = Upkeep(config)
        self._coordinator: Keeper
        self._machine: Machine
        self._runtime: RuntimeDirectory
        self._internal: Listener
        self._crew: Crew
        self._status = Status(self._reports, lambda: list(self._workers), self._limiters)
        self._metrics: PrometheusEndpoint | None = None

    async def run(self) -> None:
        """Starts, serves until a signal, drains. Raises UncleanStop, or what kept it from starting."""
        since = time.monotonic()
        async with self._started():
            _log.info("Started Gitaly", duration_ms=round((time.monotonic() - since) * 1000))
            self._manager.ready()
            reloading = spawn(self._reload_on_demand(), name="reload", owner=self._tasks)
            await self._stop.wait()
            _log.info("[shutdown] stopping Gitaly")
            self._manager.stopping()
            # A reload that is under way ends with the tasks: its new workers are killed, the old ones serve.
            reloading.cancel()
            await asyncio.wait({reloading})
            clean = await self._drained()
        if not clean:
            reason = "force shutdown" if self._force.is_set() else "grace period expired"
            raise UncleanStop(f'received signal "{self._signal}": wait: {reason}')

    @asynccontextmanager
    async def _started(self) -> AsyncIterator[None]:
        """Every part of the daemon, in the order of start-up; they end in reverse."""
        config = self._config
        self._watch_signals()
        self._warn(config)
        async with AsyncExitStack() as parts:
            parts.callback(self._nursery.end)
            parts.callback(self._board.close)
            self._runtime = RuntimeDirectory.create(config.runtime_dir)
            parts.callback(self._runtime.remove)
            await self._coordinate(config, parts)
            parts.push_async_callback(self._upkeep.stop)
            await self._upkeep.start(config)
            parts.callback(self._sockets.close)
            self._sockets.bind(config)
            self._sockets.keep(config)
            self._internal = listen_unix(str(self._runtime.internal_socket))
            parts.callback(self._internal.socket.close)
            parts.push_async_callback(end_all, self._tasks)
            self._crew = Crew(config, self._hire)
            parts.push_async_callback(self._end_workers)
            await self._crew.start()
            parts.push_async_callback(self._stop_metrics)
            await self._serve_metrics(config)
            yield

    async def _coordinate(self, config: Config, parts: AsyncExitStack) -> None:
        """Begins to share limits and packs. Raises OSError, ControlGroupsUnusable."""
        listener = listen_unix(coordinator_socket(str(self._runtime.path)))
        parts.callback(listener.socket.close)
        self._coordinator = Keeper(self._begin, self._connected, listener, config.logging)
        self._machine = Machine(config, self._coordinator)
        parts.push_async_callback(self._machine.stop)
        await self._machine.start()
        self._machine.limit(config)
        parts.push_async_callback(self._coordinator.end)
        await self._coordinator.start()

    async def _begin(self, child: Child) -> None:
        async with self._starting:
            await child.start(self._nursery)

    def _connected(self) -> int:
        return sum(worker.state in ("serving", "draining") for worker in self._workers)

    async def _limiters(self) -> Sequence[LimiterState]:
        return await self._coordinator.states()

    async def _hire(self, config: Config) -> WorkerProcess:
        """Starts a worker. Raises OSError."""
        async with self._starting:
            external = self._sockets.bind(config)
            places = {worker.place for worker in self._workers}
            place = next(place for place in range(PLACES) if place not in places)
            worker = WorkerProcess(next(self._numbers), place, self._reports.began)
            await worker.start(self._nursery)
            self._workers.add(worker)
        worker.when_ended(lambda: self._has_ended(worker))
        orders = Orders(
            config=config,
            number=worker.number,
            place=place,
            supervisor=os.getpid(),
            runtime=str(self._runtime.path),
            secure=[address.kind == "tls" for address in external],
            workers=count_of(config),
        )
        sockets = [*external.values(), self._internal.socket]
        worker.instruct(orders, [self._board.fd, *(sock.fileno() for sock in sockets)])
        return worker

    def _has_ended(self, worker: WorkerProcess) -> None:
        self._workers.discard(worker)
        self._board.clear(worker.place)
        self._runtime.forget(worker.number)
        self._reports.ended(worker)
        spawn(self._end_orphans(), name="end of orphans", owner=self._leaving)

    async def _end_orphans(self) -> None:
        async with self._starting:
            await end_orphans(self._pids)

    def _pids(self) -> set[int]:
        return {self._nursery.pid, self._coordinator.pid, *(worker.pid for worker in self._workers)}

    async def _drained(self) -> bool:
        """Refuses connections and lets all calls finish; whether none was cut."""
        self._sockets.close()
        clean = await self._crew.drain(self._config.graceful_restart_timeout.seconds, self._force)
        if self._leaving:
            await asyncio.wait(self._leaving)
        return clean

    async def _end_workers(self) -> None:
        await end_all(self._leaving)
        for worker in list(self._workers):
            worker.kill()
            await worker.ended()
        await end_orphans(self._pids)

    async def _serve_metrics(self, config: Config) -> None:
        """Serves metrics where the configuration says. Raises OSError."""
        if self._metrics is not None and self._metrics.address == config.prometheus_listen_addr:
            await self._status.watch(config)
            return
        await self._stop_metrics()
        if config.prometheus_listen_addr:
            from gitaly_py.daemon.prometheus import PrometheusEndpoint  # noqa: PLC0415 - slow, and not in all use

            await self._status.watch(config)
            self._metrics = PrometheusEndpoint(
                config.prometheus_listen_addr, self._families, self._status.snapshot
            )
            await self._metrics.start()

    async def _stop_metrics(self) -> None:
        endpoint, self._metrics = self._metrics, None
        if endpoint is not None:
            await endpoint.stop()
            await self._status.close()

    async def _families(self) -> list[Metric]:
        return await self._reports.families(list(self._workers))

    async def _reload_on_demand(self) -> None:
        while True:
            await self._reload.wait()
            self._reload.clear()
            self._manager.reloading()
            try:
                await self._reloaded()
            except Exception as error:  # noqa: BLE001 - the daemon goes on, and shall be able to reload again
                metrics.config_reload_failures.inc()
                unknown = None if isinstance(error, ConfigError | WorkerFailed | OSError) else error
                _log.error("reload failed, nothing is changed", error=str(error), exc_info=unknown)
            self._manager.ready()

    async def _reloaded(self) -> None:
        """Puts workers with a new configuration in the place of the old ones.

        Raises ConfigError, WorkerFailed, OSError: then all is as before.
        """
        async with self._starting:
            config = await asyncio.to_thread(load, self._path)
        check_startup(config)
        self._warn(config)
        crew = Crew(config, self._hire)
        self._machine.limit(config)
        try:
            await crew.start()
        except BaseException:
            self._machine.limit(self._config)
            self._sockets.keep(self._config)
            raise
        former, self._crew, self._config = self._crew, crew, config
        self._sockets.keep(config)
        logs.configure(config.logging.format, config.logging.level)
        spawn(self._let_go(former), name="former workers", owner=self._leaving)
        await self._upkeep.mark(config)
        try:
            await self._serve_metrics(config)
        except OSError as error:
            _log.error("metrics are not served", address=config.prometheus_listen_addr, error=str(error))
        _log.info("configuration reloaded", workers=len(crew.workers))

    async def _let_go(self, crew: Crew) -> None:
        if not await crew.drain(crew.config.graceful_restart_timeout.seconds, self._force):
            _log.warning("calls of former workers were cut")

    def _warn(self, config: Config) -> None:
        for notice in notices(config):
            _log.warning(notice)

    def _watch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        for number, name in _STOPPING.items():
            loop.add_signal_handler(number, self._on_signal, name)

    def _on_signal(self, name: str) -> None:
        """The first one stops the daemon, a second one does not wait for calls any longer."""
        if self._stop.is_set():
            self._force.set()
        self._signal = self._signal or name
        self._stop.set()
