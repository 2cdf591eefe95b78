"""Binds the sockets, runs the worker and the coordinator, and ends them on a signal (daemon.md 1.4, 2.5)."""

from __future__ import annotations

import asyncio
import gc
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import structlog
import uvloop

from gitaly_py.config import Config, notices
from gitaly_py.daemon.coordinator import Coordinator
from gitaly_py.daemon.descriptors import raise_descriptor_limit
from gitaly_py.daemon.listening import bind
from gitaly_py.daemon.parts import ApiClientError
from gitaly_py.daemon.prometheus import PrometheusEndpoint
from gitaly_py.daemon.runtime import RuntimeDirectory, RuntimeDirectoryError
from gitaly_py.daemon.worker import Worker
from gitaly_py.telemetry import logs, metrics

_log = structlog.get_logger("gitaly")

_COLLECT_AFTER = 20_000
"""Container objects made and not freed since the last collection."""

_STOPPING = {signal.SIGTERM: "terminated", signal.SIGINT: "interrupt", signal.SIGHUP: "hangup"}


class UncleanStop(Exception):
    """Calls were cut when the daemon stopped."""


def supervise(config: Config) -> int:
    """Runs the daemon; the exit status."""
    try:
        logs.configure(config.logging.format, config.logging.level)
        raise_descriptor_limit()
        for notice in notices(config):
            _log.warning(notice)
        metrics.use_latency_buckets(config.prometheus.grpc_latency_buckets)
        uvloop.run(Supervisor(config).run())
    except Exception as error:  # noqa: BLE001 - the border of the process: every error becomes its exit status
        _log.error("unclean Gitaly shutdown", error=str(error), exc_info=None if _expected(error) else error)
        return 1
    _log.info("Gitaly shutdown")
    return 0


def _expected(error: Exception) -> bool:
    return isinstance(error, UncleanStop | RuntimeDirectoryError | ApiClientError | OSError)


class Supervisor:
    """Owns the sockets and the worker, from start to stop."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._stop = asyncio.Event()
        self._force = asyncio.Event()
        self._signal = ""

    async def run(self) -> None:
        """Starts, serves until a signal, drains. Raises UncleanStop, or what kept it from starting."""
        since = time.monotonic()
        async with self._started() as worker:
            _log.info("Started Gitaly", duration_ms=round((time.monotonic() - since) * 1000))
            await self._stop.wait()
            _log.info("[shutdown] stopping Gitaly")
            clean = await worker.drain(self._config.graceful_restart_timeout.seconds, self._force)
        if not clean:
            reason = "force shutdown" if self._force.is_set() else "grace period expired"
            raise UncleanStop(f'received signal "{self._signal}": wait: {reason}')

    @asynccontextmanager
    async def _started(self) -> AsyncIterator[Worker]:
        """Every part of the daemon, in the order of start-up; they end in reverse."""
        async with AsyncExitStack() as parts:
            runtime = RuntimeDirectory.create(self._config.runtime_dir)
            parts.callback(runtime.remove)
            coordinator = Coordinator(self._config)
            parts.push_async_callback(coordinator.stop)
            await coordinator.start()
            worker = Worker(self._config, runtime)
            parts.push_async_callback(worker.close)
            if self._config.prometheus_listen_addr:
                endpoint = PrometheusEndpoint(self._config.prometheus_listen_addr)
                parts.push_async_callback(endpoint.stop)
                await endpoint.start()
            listeners = bind(self._config)
            parts.callback(self._remove_socket)
            await worker.start(listeners)
            self._watch_signals()
            _spare_the_collector()
            yield worker

    def _watch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number, name in _STOPPING.items():
            loop.add_signal_handler(number, self._on_signal, name)

    def _on_signal(self, name: str) -> None:
        """The first one stops the daemon, a second one does not wait for calls any longer."""
        if self._stop.is_set():
            self._force.set()
        self._signal = self._signal or name
        self._stop.set()

    def _remove_socket(self) -> None:
        if self._config.socket_path:
            Path(self._config.socket_path).unlink(missing_ok=True)


def _spare_the_collector() -> None:
    """Keeps the garbage collector from walking over what start-up left, for as long as the daemon lives.

    Modules, descriptors and handlers are hundreds of thousands of objects that never become garbage;
    calls leave few cycles, so that a rarer collection costs no memory worth naming.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 50)
