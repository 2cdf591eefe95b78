"""The workers of one configuration: all of them start, are kept alive, and are drained together."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import structlog

from gitaly_py.config import Config
from gitaly_py.daemon.processes.child import described
from gitaly_py.daemon.workers.messages import Finish, Force
from gitaly_py.daemon.workers.process import WorkerFailed, WorkerProcess
from gitaly_py.telemetry import metrics
from gitaly_py.telemetry.tasks import end_all, spawn

_log = structlog.get_logger("gitaly")

_FIRST_DELAY: Final = 0.1
_LONGEST_DELAY: Final = 30.0
_STABLE_SECONDS: Final = 60.0
"""A worker that lived for so long did not end because of how it starts."""
_START_SECONDS: Final = 120.0

Hire = Callable[[Config], Awaitable[WorkerProcess]]
"""Starts a worker and tells it what to do. Raises OSError."""


def count_of(config: Config) -> int:
    """How many workers a configuration asks for."""
    return config.workers.count or len(os.sched_getaffinity(0))


class Crew:
    """Workers that serve the same. hire: starts one of them."""

    def __init__(self, config: Config, hire: Hire) -> None:
        self.config = config
        self._hire = hire
        self._workers: list[WorkerProcess] = []
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def workers(self) -> Sequence[WorkerProcess]:
        """Those that have not ended."""
        return [worker for worker in self._workers if worker.state != "ended"]

    async def start(self) -> None:
        """Returns when all of them serve. Raises WorkerFailed, OSError: then none is left."""
        try:
            workers = [await self._hired() for _ in range(count_of(self.config))]
            async with asyncio.timeout(_START_SECONDS):
                await asyncio.gather(*(worker.served() for worker in workers))
        except TimeoutError:
            await self.end()
            raise WorkerFailed(f"a worker did not start within {_START_SECONDS:.0f} s") from None
        except (WorkerFailed, OSError, asyncio.CancelledError):
            await self.end()
            raise
        for worker in workers:
            spawn(self._keep(worker), name=f"worker {worker.number}", owner=self._tasks)

    async def drain(self, grace: float, force: asyncio.Event) -> bool:
        """Lets all of them finish: external calls everywhere before internal ones anywhere.

        grace: seconds for all of it. force: cuts it short. Returns whether no call was cut.
        """
        await end_all(self._tasks)
        loop = asyncio.get_running_loop()
        until = loop.time() + grace
        forcing = spawn(self._force_when(force), name="forced stop", owner=self._tasks)
        # One that does not serve yet has nothing to finish.
        for worker in self.workers:
            worker.drain(grace)
        workers = [worker for worker in self.workers if worker.state == "draining"]
        clean = await asyncio.gather(*(worker.drained() for worker in workers))
        for worker in workers:
            worker.send(Finish(max(until - loop.time(), 0)))
        statuses = await asyncio.gather(*(worker.ended() for worker in workers))
        forcing.cancel()
        return all(clean) and not any(statuses)

    async def end(self) -> None:
        """Kills those that are left."""
        await end_all(self._tasks)
        for worker in self.workers:
            worker.kill()
        for worker in self._workers:
            await worker.ended()

    async def _hired(self) -> WorkerProcess:
        worker = await self._hire(self.config)
        self._workers = [*self.workers, worker]
        return worker

    async def _keep(self, worker: WorkerProcess) -> None:
        """Puts another worker in the place of one that ends, again and again."""
        delay = _FIRST_DELAY
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            status = await worker.ended()
            if loop.time() - began >= _STABLE_SECONDS:
                delay = _FIRST_DELAY
            _log.error("worker ended", worker_pid=worker.pid, status=described(status), delay_s=delay)
            metrics.worker_restarts.inc()
            await asyncio.sleep(delay)
            delay = min(2 * delay, _LONGEST_DELAY)
            try:
                restarts = worker.restarts + 1
                worker = await self._hired()
                worker.restarts = restarts
                await worker.served()
            except WorkerFailed as error:
                _log.error("worker did not start", error=str(error))
            except OSError as error:
                _log.error("worker could not be started", error=str(error))

    async def _force_when(self, force: asyncio.Event) -> None:
        await force.wait()
        for worker in self.workers:
            worker.send(Force())
