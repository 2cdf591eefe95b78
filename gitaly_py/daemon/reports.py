"""What all processes of the daemon know of themselves, put together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog
from prometheus_client import Metric

from gitaly_py.daemon.workers.messages import Report
from gitaly_py.daemon.workers.process import WorkerProcess
from gitaly_py.telemetry import metrics
from gitaly_py.telemetry.families import blank, collected, lasting, merged

_log = structlog.get_logger("gitaly")

_PATIENCE_SECONDS: Final = 5.0
_STATES: Final = ("starting", "serving", "draining")


class Reports:
    """Reports of workers, those that have ended included: what they have counted is not forgotten."""

    def __init__(self) -> None:
        self._blank: list[Metric] = []
        self._ended: list[Metric] = []

    def began(self, report: Report) -> None:
        """Takes the first report of a worker, which names all that there will be."""
        if not self._blank:
            self._blank = blank(report.families)

    def ended(self, worker: WorkerProcess) -> None:
        """Keeps what a worker has counted, as far as it has told."""
        if worker.last is not None:
            self._ended = merged([self._ended, list(lasting(worker.last.families))])

    async def of(self, workers: Sequence[WorkerProcess]) -> list[Report]:
        """What workers say now; one that does not answer in time has its last word repeated."""
        serving = [worker for worker in workers if worker.state in ("serving", "draining")]
        await asyncio.gather(*(self._asked(worker) for worker in serving))
        # One that has ended meanwhile is among those that are remembered.
        return [worker.last for worker in serving if worker.last and worker.state != "ended"]

    async def families(self, workers: Sequence[WorkerProcess]) -> list[Metric]:
        """All metrics of the daemon."""
        for state in _STATES:
            metrics.workers.labels(state).set(sum(worker.state == state for worker in workers))
        reports = await self.of(workers)
        found = [self._blank, self._ended, collected(zeros=True), *(report.families for report in reports)]
        return merged(found)

    async def _asked(self, worker: WorkerProcess) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await worker.report()
        except TimeoutError:
            _log.warning("worker does not answer", worker_pid=worker.pid)
