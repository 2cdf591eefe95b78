"""Limiters that several processes share: whoever holds them serves the others' callers.

The other end is `remote.py`. Messages are tuples, carried by whoever connects the two; what they are is said
at their classes. A process that is gone gives back all it held by `Visitor.close`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from gitaly_py.limits.errors import QueueFull, QueueTimeout
from gitaly_py.limits.limiter import Held, Limiter, Waiter
from gitaly_py.limits.state import LimiterState


class Acquire(NamedTuple):
    """A caller lines up. number: of the caller, new for its process."""

    number: int
    limiter: str
    key: str


class Holds(NamedTuple):
    """A caller was given its slot by a former holder of the limiters. number: as in Acquire."""

    number: int
    limiter: str
    key: str


class Waits(NamedTuple):
    """A caller had to wait at a former holder of the limiters, and lines up again. number: as in Acquire."""

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


Request = Acquire | Holds | Waits | Leave
Answer = Queued | Entered | Dropped


class Settings(NamedTuple):
    """Of one limiter, as `Limiter` takes them."""

    limit: int
    max_queue: int
    max_wait: float | None


class _Caller:
    """A caller of another process while it waits or holds a slot."""

    __slots__ = ("_answer", "_key", "_limiter", "_number", "_slot", "_waiter")

    def __init__(self, number: int, answer: Callable[[Answer], None], limiter: Limiter, key: str) -> None:
        self._number = number
        self._answer = answer
        self._limiter = limiter
        self._key = key
        self._slot: Held | None = None
        self._waiter: Waiter | None = None

    def line_up(self) -> None:
        """Asks for a slot; most get theirs at once."""
        limiter, key = self._limiter, self._key
        try:
            slot = limiter.enter(key)
        except QueueFull as error:
            self._answer(Dropped(self._number, *limiter.crowd(key), 0.0, error.reason))
            return
        if slot is not None:
            self._enter(slot, 0.0)
            return
        self._waiter = limiter.line_up(key, self._settle)
        self._answer(Queued(self._number, limiter.crowd(key)[0]))

    def hold(self) -> None:
        """Has a slot already."""
        self._slot = self._limiter.admit(self._key)

    def leave(self) -> None:
        """Gives back what it has."""
        if self._slot is not None:
            self._slot.release()
        elif self._waiter is not None:
            self._waiter.leave()

    def _settle(self, slot: Held | None) -> bool:
        waiter, self._waiter = self._waiter, None
        if waiter is None:
            return False
        limiter, key = self._limiter, self._key
        seconds = limiter.waited(waiter)
        if slot is not None:
            self._enter(slot, seconds)
        else:
            self._answer(Dropped(self._number, *limiter.crowd(key), seconds, QueueTimeout.reason))
        return True

    def _enter(self, slot: Held, seconds: float) -> None:
        self._slot = slot
        self._answer(Entered(self._number, slot.running, seconds))


class Desk:
    """The limiters, by name."""

    def __init__(self) -> None:
        self._limiters: dict[str, Limiter] = {}
        self._unlimited = Limiter(0)

    def apply(self, settings: Mapping[str, Settings]) -> None:
        """Sets all limiters at once, while callers run and wait; one that is not named limits no more."""
        for name in self._limiters.keys() - settings.keys():
            self._limiters[name].adjust(0, max_queue=0, max_wait=None)
        for name, (limit, max_queue, max_wait) in settings.items():
            known = self._limiters.get(name)
            if known is not None:
                known.adjust(limit, max_queue=max_queue, max_wait=max_wait)
            else:
                self._limiters[name] = Limiter(limit, max_queue=max_queue, max_wait=max_wait)

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


class Visitor:
    """Another process and its callers."""

    def __init__(self, desk: Desk, answer: Callable[[Answer], None]) -> None:
        self._desk = desk
        self._answer = answer
        self._callers: dict[int, _Caller] = {}

    def receive(self, message: Request) -> None:
        """Takes a message of the process."""
        if isinstance(message, Leave):
            leaving = self._callers.pop(message.number, None)
            if leaving is not None:
                leaving.leave()
            return
        limiter = self._desk.limiter(message.limiter)
        caller = self._callers[message.number] = _Caller(message.number, self._answer, limiter, message.key)
        if isinstance(message, Holds):
            caller.hold()
        else:
            caller.line_up()

    def close(self) -> None:
        """The process is gone: its callers have left."""
        callers, self._callers = self._callers, {}
        for caller in callers.values():
            caller.leave()
