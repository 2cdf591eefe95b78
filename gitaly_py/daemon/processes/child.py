"""A process of the daemon as the supervisor sees it."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import Any

from gitaly_py.daemon.processes import link
from gitaly_py.daemon.processes.nursery import Kind, Nursery


class Child(ABC):
    """One process. It ends when our end of the link is closed, whatever it does.

    kind: what it is to be. pid: its process id, 0 before it starts.
    """

    def __init__(self, kind: Kind) -> None:
        self.pid = 0
        self.loop = asyncio.get_running_loop()
        self._kind = kind
        self._ended: asyncio.Future[int] = self.loop.create_future()
        self._numbers = itertools.count(1)
        self._questions: dict[int, asyncio.Future[Any]] = {}
        self._link: link.Link

    async def start(self, nursery: Nursery) -> None:
        """Starts the process; `instruct` is to follow in the same turn. Raises OSError."""
        ours, theirs = link.pair()
        with ExitStack() as unused, theirs:
            unused.enter_context(ours)
            self.pid = await nursery.start(self._kind, theirs)
            unused.pop_all()
        self._sock = ours
        self._pidfd = os.pidfd_open(self.pid)
        self.loop.add_reader(self._pidfd, self._reap)

    def instruct(self, orders: object, descriptors: Sequence[int]) -> None:
        """Tells the process what to do. One that is gone already is reaped like any other."""
        with suppress(BrokenPipeError, ConnectionResetError):
            link.send_first(self._sock, orders, descriptors)
        self._link = link.Link(self._sock, self.receive, lambda: None)

    def send(self, message: object) -> None:
        """Tells the process something."""
        self._link.send(message)

    async def ended(self) -> int:
        """Waits for its end: the exit status, negative for a signal."""
        return await asyncio.shield(self._ended)

    def when_ended(self, callback: Callable[[], None]) -> None:
        """Calls `callback` after its end."""
        self._ended.add_done_callback(lambda _: callback())

    @property
    def lives(self) -> bool:
        """It was started and has not ended."""
        return bool(self.pid) and not self._ended.done()

    def kill(self) -> None:
        """Ends it at once."""
        if self.lives:
            os.kill(self.pid, signal.SIGKILL)

    @abstractmethod
    def receive(self, message: Any) -> None:
        """Takes a message of the process."""

    @abstractmethod
    def buried(self, status: int) -> None:
        """It has ended, and said all that it will."""

    async def ask(self, question: Callable[[int], object]) -> Any:
        """The answer to a question, None when the process has ended. question: makes it, with its number."""
        number = next(self._numbers)
        answer = self._questions[number] = self.loop.create_future()
        ended: asyncio.Future[Any] = self._ended
        try:
            self.send(question(number))
            await asyncio.wait({answer, ended}, return_when=asyncio.FIRST_COMPLETED)
            return answer.result() if answer.done() else None
        finally:
            del self._questions[number]

    def answered(self, number: int, answer: object) -> None:
        """The answer to a question has come; nothing if nobody waits for it."""
        waiting = self._questions.get(number)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def _reap(self) -> None:
        _, status = os.waitpid(self.pid, 0)
        self.loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        # Its last words may still be on their way.
        self._link.drop()
        code = os.waitstatus_to_exitcode(status)
        self.buried(code)
        self._ended.set_result(code)


def described(status: int) -> str:
    """An exit status, or the name of the signal that ended a process."""
    return signal.Signals(-status).name if status < 0 else str(status)
