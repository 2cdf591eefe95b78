"""Snapshots of the whole daemon, taken by its supervisor."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence

from gitaly_py import __version__
from gitaly_py.config import Config
from gitaly_py.daemon.reports import Reports
from gitaly_py.daemon.status.snapshot import SlowCall, Snapshot, WorkerState
from gitaly_py.daemon.status.storages import StorageWatch
from gitaly_py.daemon.workers.process import WorkerProcess
from gitaly_py.limits.state import LimiterState, combined
from gitaly_py.telemetry.slow_calls import KEPT


class Status:
    """What the daemon is at.

    workers: those there are now. limiters: those that workers share.
    """

    def __init__(
        self,
        reports: Reports,
        workers: Callable[[], Sequence[WorkerProcess]],
        limiters: Callable[[], Awaitable[Sequence[LimiterState]]],
    ) -> None:
        self._reports = reports
        self._workers = workers
        self._limiters = limiters
        self._storages = StorageWatch({})

    async def watch(self, config: Config) -> None:
        """Shows the storages of a configuration from here on."""
        former = self._storages
        self._storages = StorageWatch({storage.name: storage.path for storage in config.storage})
        await former.close()

    async def close(self) -> None:
        """Ends looking at storages."""
        await self._storages.close()

    async def snapshot(self) -> Snapshot:
        """The daemon now."""
        storages = await self._storages.look()
        workers = [worker for worker in self._workers() if worker.state != "ended"]
        families = await self._reports.families(workers)
        shared = await self._limiters()
        reports = [worker.last for worker in workers if worker.last is not None]
        slow = sorted(_slow_calls(workers), key=lambda call: -call.seconds)
        return Snapshot(
            taken=time.time(),
            version=__version__,
            git_version=next((report.git_version for report in reports), ""),
            families=families,
            workers=list(_states(workers)),
            limiters=combined([*shared, *(each for report in reports for each in report.limiters)]),
            storages=storages,
            slow_calls=slow[:KEPT],
        )


def _states(workers: Sequence[WorkerProcess]) -> Iterator[WorkerState]:
    for worker in sorted(workers, key=lambda each: each.number):
        state, last = worker.state, worker.last
        if state != "ended":
            yield WorkerState(
                number=worker.number,
                pid=worker.pid,
                state=state,
                started=worker.began,
                restarts=worker.restarts,
                connections=last.connections if last else 0,
                calls=last.calls if last else 0,
                rss_bytes=last.rss_bytes if last else 0,
            )


def _slow_calls(workers: Sequence[WorkerProcess]) -> Iterator[SlowCall]:
    for worker in workers:
        if worker.last is not None:
            for call in worker.last.slow_calls:
                yield SlowCall.of(call, worker.number)
