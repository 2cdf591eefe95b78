"""Limiters that another process holds; see `desk.py` for the other end."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Coroutine
from typing import Any, Final, Protocol

from gitaly_py.limits.desk import Acquire, Answer, Dropped, Entered, Holds, Leave, Queued, Request, Waits
from gitaly_py.limits.errors import LimitReached, QueueFull, QueueTimeout
from gitaly_py.limits.limiter import Slot, why_waiting_ended
from gitaly_py.limits.monitor import Monitor

_ERRORS: dict[str, type[LimitReached]] = {kind.reason: kind for kind in (QueueFull, QueueTimeout)}


PATIENCE: Final = 200e-6
"""Seconds for which a process does nothing but look for an answer."""

_VAIN_LOOKS: Final = 32
"""After so many in a row it looks as long as ever: what kept answers may be over."""


class DeskLost(Exception):
    """The process that holds the limiters is gone."""


class _Answers:
    """What one caller is told, in order. Much smaller than an asyncio.Queue, and callers may be many.

    limiter, key: of the slot that it asks for. is_queued: it was told so.
    """

    __slots__ = ("_waiter", "arrived", "is_queued", "key", "limiter")

    def __init__(self, limiter: str, key: str) -> None:
        self.limiter = limiter
        self.key = key
        self.is_queued = False
        self.arrived: tuple[Answer | None, ...] = ()
        self._waiter: asyncio.Future[None] | None = None

    def put(self, answer: Answer | None) -> None:
        """Takes an answer; None: there will be no other."""
        self.arrived += (answer,)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def take(self) -> Answer | None:
        """The next one, which must be there."""
        answer, *rest = self.arrived
        self.arrived = tuple(rest)
        return answer

    def next(self) -> asyncio.Future[None]:
        """Done as soon as there is one."""
        self._waiter = asyncio.get_running_loop().create_future()
        if self.arrived:
            self._waiter.set_result(None)
        return self._waiter


class Connection(Protocol):
    """The way to the other process."""

    def send(self, message: Request) -> None:
        """Sends a message at once."""

    def post(self, message: Request) -> None:
        """Sends a message that nobody waits for, by the end of this turn of the event loop."""

    def take(self) -> None:
        """Receives what has come by now, before the event loop looks for it."""


class RemoteDesk:
    """The way to the limiters of another process."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._numbers = itertools.count(1)
        self._waiting: dict[int, _Answers] = {}
        self._held: dict[int, tuple[str, str]] = {}
        self._in_vain = 0

    def limiter(self, name: str, monitor: Monitor) -> RemoteLimiter:
        """The limiter of that name."""
        return RemoteLimiter(self, name, monitor)

    def line_up(self, limiter: str, key: str) -> tuple[int, _Answers]:
        """Asks for a slot: the caller's number, and where its answers arrive."""
        number = next(self._numbers)
        answers = self._waiting[number] = _Answers(limiter, key)
        self.connection.send(Acquire(number, limiter, key))
        return number, answers

    def first_answer(self, answers: _Answers) -> Answer | None:
        """The first answer to a caller that has just lined up, if it comes within microseconds.

        The other process has little to do, and mostly runs as soon as it is sent something. To set a caller
        aside, and to have the event loop find it again, takes longer than that. Where answers take longer
        still, since all processors are busy, few wait more than an instant after some of them.
        """
        end = time.perf_counter() + PATIENCE / (1 << self._in_vain)
        while True:
            self.connection.take()
            if answers.arrived:
                self._in_vain = 0
                return answers.arrived[0]
            if time.perf_counter() >= end:
                self._in_vain = (self._in_vain + 1) % _VAIN_LOOKS
                return None

    def leave(self, number: int) -> None:
        """A caller needs its place or its slot no longer. The caller's own client need not wait for that."""
        self._waiting.pop(number, None)
        self._held.pop(number, None)
        self.connection.post(Leave(number))

    def receive(self, answer: Answer) -> None:
        """Takes a message of the other process."""
        number = answer.number
        waiting = self._waiting.get(number)
        if waiting is None:
            return
        if isinstance(answer, Queued):
            if waiting.is_queued:
                return
            waiting.is_queued = True
        else:
            del self._waiting[number]
            if isinstance(answer, Entered):
                self._held[number] = waiting.limiter, waiting.key
        waiting.put(answer)

    def resume(self, connection: Connection) -> None:
        """Another process holds the limiters from here on.

        It is told who has a slot, and who waits: they line up again, in their order, with all of their time.
        """
        self.connection = connection
        for number, (limiter, key) in self._held.items():
            connection.post(Holds(number, limiter, key))
        for number, waiting in self._waiting.items():
            kind = Waits if waiting.is_queued else Acquire
            connection.post(kind(number, waiting.limiter, waiting.key))

    def close(self) -> None:
        """The other process is gone: those who wait get DeskLost."""
        for waiting in self._waiting.values():
            waiting.put(None)


class RemoteLimiter:
    """One limiter of another process; as a Limiter of this one, for those who acquire."""

    def __init__(self, desk: RemoteDesk, name: str, monitor: Monitor) -> None:
        self._desk = desk
        self._name = name
        self._monitor = monitor

    async def acquire(self, key: str) -> Slot:
        """A slot of `key`, as soon as one is free. Raises QueueFull, QueueTimeout, DeskLost."""
        given = self.request(key)
        return given if isinstance(given, Slot) else await given

    def request(self, key: str, deadline: float | None = None) -> Slot | Coroutine[Any, Any, Slot]:
        """See Acquirable."""
        number, answers = self._desk.line_up(self._name, key)
        answer = self._desk.first_answer(answers)
        if not isinstance(answer, Entered):
            return self._waited(key, number, answers, deadline)
        self._monitor.passed(key, answer.running)
        return self._slot(number)

    async def _waited(self, key: str, number: int, answers: _Answers, deadline: float | None) -> Slot:
        began = asyncio.get_running_loop().time()
        queued = False
        try:
            await answers.next()
            answer = answers.take()
            if isinstance(answer, Queued):
                self._monitor.queued(key, answer.waiting)
                queued = True
                await answers.next()
                answer = answers.take()
            elif isinstance(answer, Entered):
                self._monitor.queued(key, 1)
                queued = True
        except asyncio.CancelledError as error:
            self._desk.leave(number)
            seconds = asyncio.get_running_loop().time() - began
            reason = why_waiting_ended(error, deadline)
            self._monitor.dropped(key, 0, 0, seconds, reason)
            if reason == QueueTimeout.reason:
                raise QueueTimeout from error
            raise
        finally:
            if queued:
                self._monitor.dequeued()
        return self._judged(key, number, answer)

    def _judged(self, key: str, number: int, answer: Answer | None) -> Slot:
        if isinstance(answer, Entered):
            self._monitor.entered(answer.running, answer.seconds)
            return self._slot(number)
        self._desk.leave(number)
        if not isinstance(answer, Dropped):
            raise DeskLost
        self._monitor.dropped(key, answer.waiting, answer.running, answer.seconds, answer.reason)
        raise _ERRORS[answer.reason]

    def _slot(self, number: int) -> Slot:
        return Slot(lambda: self._release(number))

    def _release(self, number: int) -> None:
        self._desk.leave(number)
        self._monitor.exited()
