"""Limiters that several processes share: whoever holds them serves the others' callers.

The other end is `remote.py`. Messages are tuples, carried by whoever connects the two; what they are is said
at their classes. A process that is gone gives back all it held by `Visitor.close`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple

from gitaly_py.limits.errors import LimitReached
from gitaly_py.limits.limiter import Limiter, Slot
from gitaly_py.limits.monitor import Monitor
from gitaly_py.limits.state import LimiterState
from gitaly_py.telemetry.begun import begin


class Acquire(NamedTuple):
    """A caller lines up. number: of the caller, new for its process."""

    number: int
    limiter: str
    key: str


class Leave(NamedTuple):
    """A caller needs its place or its slot no longer."""

    number: int


class Queued(NamedTuple):
    """A caller has to wait; not sent if it need not. waiting: callers in line, this one among them."""

    number: int
    waiting: int


class Entered(NamedTuple):
    """A caller has its slot, after `seconds`. running: holders of its key, this one among them."""

    number: int
    running: int
    seconds: float


class Dropped(NamedTuple):
    """A caller gets no slot: see Monitor.dropped."""

    number: int
    waiting: int
    running: int
    seconds: float
    reason: str


Request = Acquire | Leave
Answer = Queued | Entered | Dropped


class Settings(NamedTuple):
    """Of one limiter, as `Limiter` takes them."""

    limit: int
    max_queue: int
    max_wait: float | None


class _Caller:
    """A caller of another process while it waits or holds a slot."""

    def __init__(self, number: int, answer: Callable[[Answer], None]) -> None:
        self.number = number
        self.answer = answer
        self.place = 0
        self.slot: Slot | None = None
        self.task: asyncio.Task[None] | None = None
        self.gone = False

    def leave(self) -> None:
        """Gives back what it has."""
        self.gone = True
        if self.slot is not None:
            self.slot.release()
        elif self.task is not None:
            self.task.cancel()


_caller: ContextVar[_Caller] = ContextVar("caller")


class _Reporting(Monitor):
    """Tells callers of other processes what becomes of them."""

    def queued(self, key: str, waiting: int) -> None:
        """See Monitor."""
        _caller.get().place = waiting

    def entered(self, running: int, seconds: float) -> None:
        """See Monitor."""
        caller = _caller.get()
        caller.answer(Entered(caller.number, running, seconds))

    def dropped(self, key: str, waiting: int, running: int, seconds: float, reason: str) -> None:
        """See Monitor."""
        caller = _caller.get()
        if not caller.gone:
            caller.answer(Dropped(caller.number, waiting, running, seconds, reason))


class Desk:
    """The limiters, by name."""

    def __init__(self) -> None:
        self._limiters: dict[str, Limiter] = {}
        self._unlimited = Limiter(0, monitor=_Reporting())
        self._tasks: set[asyncio.Task[Any]] = set()

    def apply(self, settings: Mapping[str, Settings]) -> None:
        """Sets all limiters at once, while callers run and wait; one that is not named limits no more."""
        for name in self._limiters.keys() - settings.keys():
            self._limiters[name].adjust(0, max_queue=0, max_wait=None)
        for name, (limit, max_queue, max_wait) in settings.items():
            known = self._limiters.get(name)
            if known is not None:
                known.adjust(limit, max_queue=max_queue, max_wait=max_wait)
            else:
                self._limiters[name] = Limiter(
                    limit, max_queue=max_queue, max_wait=max_wait, monitor=_Reporting()
                )

    def resize(self, name: str, limit: int) -> None:
        """Changes the limit of one limiter."""
        self._limiters[name].resize(limit)

    def states(self) -> list[LimiterState]:
        """Every limiter now."""
        return [limiter.state(name) for name, limiter in self._limiters.items()]

    def visitor(self, answer: Callable[[Answer], None]) -> Visitor:
        """The callers of one other process. answer: sends a message there."""
        return Visitor(self, answer)

    def limiter(self, name: str) -> Limiter:
        """The limiter of that name; one that limits nothing where there is none."""
        return self._limiters.get(name, self._unlimited)

    def begin(self, caller: _Caller, limiter: str, key: str) -> None:
        """Lets a caller line up; most get their slot before this returns."""
        task = begin(self._admit(caller, limiter, key), asyncio.get_running_loop())
        if task is not None:
            caller.task = task
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            caller.answer(Queued(caller.number, caller.place))

    async def _admit(self, caller: _Caller, limiter: str, key: str) -> None:
        _caller.set(caller)
        try:
            slot = await self.limiter(limiter).acquire(key)
        except LimitReached:
            return
        if caller.gone:
            slot.release()
        else:
            caller.slot = slot


class Visitor:
    """Another process and its callers."""

    def __init__(self, desk: Desk, answer: Callable[[Answer], None]) -> None:
        self._desk = desk
        self._answer = answer
        self._callers: dict[int, _Caller] = {}

    def receive(self, message: Request) -> None:
        """Takes a message of the process."""
        if isinstance(message, Acquire):
            caller = self._callers[message.number] = _Caller(message.number, self._answer)
            self._desk.begin(caller, message.limiter, message.key)
        else:
            leaving = self._callers.pop(message.number, None)
            if leaving is not None:
                leaving.leave()

    def close(self) -> None:
        """The process is gone: its callers have left."""
        callers, self._callers = self._callers, {}
        for caller in callers.values():
            caller.leave()
