"""A worker process as the supervisor sees it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Literal

from gitaly_py.daemon.processes.child import Child
from gitaly_py.daemon.processes.nursery import Kind
from gitaly_py.daemon.workers import messages
from gitaly_py.storage import counting

State = Literal["starting", "serving", "draining", "ended"]


class WorkerFailed(Exception):
    """A worker ended before it served."""


class WorkerProcess(Child):
    """One worker.

    greeted: called with its first report. began: Unix seconds. restarts: how many there were in its place
    before it. last: its latest report.
    """

    def __init__(self, number: int, place: int, greeted: Callable[[messages.Report], None]) -> None:
        super().__init__(Kind.WORKER)
        self.number = number
        self.place = place
        self.began = time.time()
        self.restarts = 0
        self.state: State = "starting"
        self._served: asyncio.Future[None] = self.loop.create_future()
        self._drained: asyncio.Future[bool] = self.loop.create_future()
        self.last: messages.Report | None = None
        self._greeted = greeted

    async def served(self) -> None:
        """Waits until it serves. Raises WorkerFailed when it never will."""
        await asyncio.shield(self._served)

    async def drained(self) -> bool:
        """Waits until no external call is left; whether none was cut."""
        return await asyncio.shield(self._drained)

    async def report(self) -> None:
        """Asks for a report, which is then the latest."""
        await self.ask(messages.Ask)

    def drain(self, grace: float) -> None:
        """Begins to end it; `drained` tells when that is done. One that does not serve yet is killed."""
        if self.state == "serving":
            self.state = "draining"
            self.send(messages.Drain(grace))
        elif self.state == "starting":
            self.kill()

    def receive(self, message: Any) -> None:
        """See Child."""
        if isinstance(message, messages.Report):
            self._reported(message)
        elif isinstance(message, messages.Failed):
            self._never_serves(message.error)
        elif isinstance(message, messages.Counted):
            counting.changed(*message)
        elif not self._drained.done():
            self._drained.set_result(message.clean)

    def buried(self, status: int) -> None:
        """See Child."""
        self.state = "ended"
        self._never_serves(f"worker ended with status {status}")
        if not self._drained.done():
            self._drained.set_result(False)

    def _reported(self, report: messages.Report) -> None:
        self.last = report
        if self.state == "starting":
            self.state = "serving"
            self._greeted(report)
            self._served.set_result(None)
        self.answered(report.number, report)

    def _never_serves(self, error: str) -> None:
        if not self._served.done():
            self._served.set_exception(WorkerFailed(error))
            # Whoever waits for it gets it; if nobody does, that is no fault.
            self._served.exception()
