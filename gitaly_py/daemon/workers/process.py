"""A worker process as the supervisor sees it."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import Any, Literal

from gitaly_py.daemon.workers import link, messages
from gitaly_py.daemon.workers.nursery import Nursery
from gitaly_py.limits.desk import Acquire, Desk, Leave
from gitaly_py.packs.leases.ledger import Ledger
from gitaly_py.packs.leases.messages import FromWorker
from gitaly_py.storage import counting

State = Literal["starting", "serving", "draining", "ended"]


class WorkerFailed(Exception):
    """A worker ended before it served."""


class WorkerProcess:
    """One worker. It ends when our end of the link is closed, whatever it does.

    greeted: called with its first report. began: Unix seconds. restarts: how many there were in its place
    before it. last: its latest report.
    """

    def __init__(self, number: int, place: int, greeted: Callable[[messages.Report], None]) -> None:
        loop = asyncio.get_running_loop()
        self.number = number
        self.place = place
        self.began = time.time()
        self.restarts = 0
        self.state: State = "starting"
        self.pid = 0
        self._served: asyncio.Future[None] = loop.create_future()
        self._drained: asyncio.Future[bool] = loop.create_future()
        self._ended: asyncio.Future[int] = loop.create_future()
        self.last: messages.Report | None = None
        self._greeted = greeted
        self._loop = loop
        self._questions: dict[int, asyncio.Future[Any]] = {}
        self._link: link.Link

    async def start(self, nursery: Nursery, desk: Desk, ledger: Ledger) -> None:
        """Starts the process; `instruct` is to follow in the same turn. Raises OSError."""
        ours, theirs = link.pair()
        with ExitStack() as unused, theirs:
            unused.enter_context(ours)
            self.pid = await nursery.start(theirs)
            unused.pop_all()
        self._sock = ours
        self._visitor = desk.visitor(self.send)
        self._reader = ledger.reader(self.send)
        self._pidfd = os.pidfd_open(self.pid)
        self._loop.add_reader(self._pidfd, self._reap)

    def instruct(self, orders: messages.Orders, descriptors: Sequence[int]) -> None:
        """Tells the process what to do. One that is gone already is reaped like any other."""
        with suppress(BrokenPipeError, ConnectionResetError):
            link.send_first(self._sock, orders, descriptors)
        self._link = link.Link(self._sock, self._receive, lambda: None)

    def send(self, message: object) -> None:
        """Tells the process something."""
        self._link.send(message)

    async def served(self) -> None:
        """Waits until it serves. Raises WorkerFailed when it never will."""
        await asyncio.shield(self._served)

    async def drained(self) -> bool:
        """Waits until no external call is left; whether none was cut."""
        return await asyncio.shield(self._drained)

    async def ended(self) -> int:
        """Waits for its end: the exit status, negative for a signal."""
        return await asyncio.shield(self._ended)

    def when_ended(self, callback: Callable[[], None]) -> None:
        """Calls `callback` after its end."""
        self._ended.add_done_callback(lambda _: callback())

    async def report(self, number: int) -> None:
        """Asks for a report, which is then the latest. number: another one each time."""
        answer: asyncio.Future[Any] = self._loop.create_future()
        ended: asyncio.Future[Any] = self._ended
        self._questions[number] = answer
        try:
            self.send(messages.Ask(number))
            await asyncio.wait({answer, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._questions[number]

    def drain(self, grace: float) -> None:
        """Begins to end it; `drained` tells when that is done. One that does not serve yet is killed."""
        if self.state == "serving":
            self.state = "draining"
            self.send(messages.Drain(grace))
        elif self.state == "starting":
            self.kill()

    def kill(self) -> None:
        """Ends it at once."""
        if self.state != "ended":
            os.kill(self.pid, signal.SIGKILL)

    def _receive(self, message: Any) -> None:
        if isinstance(message, Acquire | Leave):
            self._visitor.receive(message)
        elif isinstance(message, FromWorker):
            self._reader.receive(message)
        elif isinstance(message, messages.Report):
            self._reported(message)
        elif isinstance(message, messages.Failed):
            self._never_serves(message.error)
        elif isinstance(message, messages.Counted):
            counting.changed(*message)
        elif not self._drained.done():
            self._drained.set_result(message.clean)

    def _reported(self, report: messages.Report) -> None:
        self.last = report
        if self.state == "starting":
            self.state = "serving"
            self._greeted(report)
            self._served.set_result(None)
        waiting = self._questions.get(report.number)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def _never_serves(self, error: str) -> None:
        if not self._served.done():
            self._served.set_exception(WorkerFailed(error))
            # Whoever waits for it gets it; if nobody does, that is no fault.
            self._served.exception()

    def _reap(self) -> None:
        _, status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        # Its last words may still be on their way.
        self._link.drop()
        self.state = "ended"
        self._visitor.close()
        self._reader.close()
        self._never_serves(f"worker ended with status {code}")
        if not self._drained.done():
            self._drained.set_result(False)
        self._ended.set_result(code)
