"""Keeps a coordinator alive, and tells it the limits; lives in the supervisor."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import structlog

from gitaly_py.config.logs import Logging
from gitaly_py.daemon.coordination.messages import Apply, Ask, Orders, Resize, States
from gitaly_py.daemon.processes.child import Child, described
from gitaly_py.daemon.processes.nursery import Kind
from gitaly_py.limits.desk import Settings
from gitaly_py.limits.state import LimiterState
from gitaly_py.telemetry import metrics
from gitaly_py.telemetry.tasks import end_all, spawn
from gitaly_py.transport.listeners import Listener

_log = structlog.get_logger("gitaly")

_PATIENCE_SECONDS: Final = 1.0
_FIRST_DELAY: Final = 0.1
_LONGEST_DELAY: Final = 5.0
_STABLE_SECONDS: Final = 1.0
"""After one that lived for so long the next comes at once, since calls wait for it."""


class _Coordinator(Child):
    def __init__(self) -> None:
        super().__init__(Kind.COORDINATOR)

    def receive(self, message: States) -> None:
        """See Child."""
        self.answered(message.number, message.limiters)

    def buried(self, status: int) -> None:
        """See Child."""


class Keeper:
    """The coordinator, whichever process that is.

    begin: starts a process. Raises OSError. workers: how many are connected to it. listener: where they come.
    """

    def __init__(
        self,
        begin: Callable[[Child], Awaitable[None]],
        workers: Callable[[], int],
        listener: Listener,
        logging: Logging,
    ) -> None:
        self._begin = begin
        self._workers = workers
        self._listener = listener
        self._logging = logging
        self._limits: dict[str, Settings] = {}
        self._process = _Coordinator()
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def pid(self) -> int:
        """Its process id, 0 if there is none."""
        return self._process.pid

    async def start(self) -> None:
        """Starts it, and others after it whenever it ends. Raises OSError."""
        await self._started()
        spawn(self._keep(), name="coordinator", owner=self._tasks)

    async def end(self) -> None:
        """Ends it."""
        await end_all(self._tasks)
        if self._process.lives:
            self._process.kill()
            await self._process.ended()

    def apply(self, limits: Mapping[str, Settings]) -> None:
        """Sets all limits, for calls that run and wait as well."""
        self._limits = dict(limits)
        self._tell(Apply(limits))

    def resize(self, limiter: str, limit: int) -> None:
        """Changes one limit."""
        self._limits[limiter] = self._limits[limiter]._replace(limit=limit)
        self._tell(Resize(limiter, limit))

    async def states(self) -> Sequence[LimiterState]:
        """Every limiter now; none while there is no coordinator, or none that answers."""
        if not self._process.lives:
            return []
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await self._process.ask(Ask) or []
        except TimeoutError:
            _log.warning("coordinator does not answer", coordinator_pid=self.pid)
            return []

    def _tell(self, message: object) -> None:
        if self._process.lives:
            self._process.send(message)

    async def _started(self) -> None:
        process = _Coordinator()
        await self._begin(process)
        orders = Orders(self._logging, self._limits, self._workers())
        process.instruct(orders, [self._listener.socket.fileno()])
        self._process = process

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        delay = 0.0
        while True:
            began = loop.time()
            status = await self._process.ended()
            if loop.time() - began >= _STABLE_SECONDS:
                delay = 0.0
            _log.error("coordinator ended", coordinator_pid=self.pid, status=described(status), delay_s=delay)
            metrics.coordinator_restarts.inc()
            delay = await self._replaced(delay)

    async def _replaced(self, delay: float) -> float:
        """Starts another one after so many seconds, again and again if need be; the next delay."""
        while True:
            await asyncio.sleep(delay)
            delay = min(max(2 * delay, _FIRST_DELAY), _LONGEST_DELAY)
            try:
                await self._started()
            except OSError as error:
                _log.error("coordinator could not be started", error=str(error), delay_s=delay)
            else:
                return delay
