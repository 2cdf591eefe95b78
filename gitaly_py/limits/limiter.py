"""Limits how many hold something at a time, for each of many keys (daemon.md 5.1)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import TypeAlias

from gitaly_py.limits.clock import LOOP, Clock
from gitaly_py.limits.errors import LimitReached, QueueFull, QueueTimeout
from gitaly_py.limits.monitor import OTHER, SILENT, Monitor
from gitaly_py.limits.state import KeyState, LimiterState

_Waiter: TypeAlias = asyncio.Future[bool]
"""True once it has a slot, False once it has waited for too long."""


@dataclass(frozen=True, slots=True)
class LimiterStatistics:
    """A limiter now. limit: holders a key; keys: how many are in use; running, waiting: of all keys."""

    limit: int
    keys: int
    running: int
    waiting: int


@dataclass(slots=True, eq=False)
class _Line:
    """The callers of one key. admitted: holders, waiters, and waiters that are about to leave.

    waiting: since when, the newest last.
    """

    key: str
    admitted: int = 0
    running: int = 0
    waiting: dict[_Waiter, float] = field(default_factory=dict)


class Slot:
    """A caller's place among the holders of a key, until `release` or the end of a `with` block."""

    __slots__ = ("_release",)

    def __init__(self, release: Callable[[], None]) -> None:
        self._release: Callable[[], None] | None = release

    def release(self) -> None:
        """Gives the slot to the newest waiter; may be called again."""
        release, self._release = self._release, None
        if release is not None:
            release()

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class Limiter:
    """At most `limit` holders a key; others wait, the newest first.

    Newest first since the oldest waiter is the likeliest to have nobody left who waits for it.
    limit: holders a key; 0 or less admits everyone. max_queue: waiters a key beyond that; 0 is no bound.
    max_wait: seconds; None is no bound. Keys without holders and waiters are forgotten.
    """

    def __init__(
        self,
        limit: int,
        *,
        max_queue: int = 0,
        max_wait: float | None = None,
        monitor: Monitor = SILENT,
        clock: Clock = LOOP,
    ) -> None:
        self._limit = limit
        self._max_queue = max_queue
        self._max_wait = max_wait
        self._monitor = monitor
        self._clock = clock
        self._lines: dict[str, _Line] = {}
        self._admitted = 0
        self._rejected: Counter[str] = Counter()

    async def acquire(self, key: str) -> Slot:
        """A slot of `key`, as soon as one is free. Raises QueueFull, QueueTimeout."""
        began = self._clock.now()
        line = self._lines.get(key) or _Line(key)
        if self._is_full(line):
            self._drop(line, began, QueueFull.reason)
            raise QueueFull
        self._lines[key] = line
        line.admitted += 1
        try:
            await self._queue(line)
        except (LimitReached, asyncio.CancelledError) as error:
            self._leave(line)
            self._drop(line, began, error.reason if isinstance(error, LimitReached) else OTHER)
            raise
        self._admitted += 1
        self._monitor.entered(line.running, self._clock.now() - began)
        return Slot(lambda: self._release(line))

    def resize(self, limit: int) -> None:
        """Changes the limit of every key. Up: wakes waiters now; down: interrupts nobody."""
        self._limit = limit
        for line in self._lines.values():
            self._wake(line)

    def adjust(self, limit: int, *, max_queue: int, max_wait: float | None) -> None:
        """Changes all that the constructor was given; whoever waits already keeps the former longest wait."""
        self._max_queue = max_queue
        self._max_wait = max_wait
        self.resize(limit)

    def statistics(self) -> LimiterStatistics:
        """How much is going on."""
        lines = self._lines.values()
        return LimiterStatistics(
            limit=self._limit,
            keys=len(lines),
            running=sum(line.running for line in lines),
            waiting=sum(len(line.waiting) for line in lines),
        )

    def state(self, name: str) -> LimiterState:
        """The same for each key. name: of the limiter, for those who are shown it."""
        now = self._clock.now()
        return LimiterState(
            name=name,
            limit=max(self._limit, 0),
            max_queue=self._max_queue,
            keys=[_key_state(line, now) for line in self._lines.values()],
            admitted=self._admitted,
            rejected=dict(self._rejected),
        )

    async def _queue(self, line: _Line) -> None:
        """Returns as a holder. Raises QueueTimeout."""
        self._monitor.queued(line.key, len(line.waiting) + 1)
        try:
            if self._has_room(line):
                line.running += 1
            elif not await self._granted(line):
                raise QueueTimeout
        finally:
            self._monitor.dequeued()

    async def _granted(self, line: _Line) -> bool:
        """Waits for a slot; False when it took too long."""
        waiter: _Waiter = asyncio.get_running_loop().create_future()
        line.waiting[waiter] = self._clock.now()
        timer = None
        if self._max_wait is not None:
            timer = self._clock.call_later(self._max_wait, lambda: _expire(line, waiter))
        try:
            return await waiter
        except asyncio.CancelledError:
            line.waiting.pop(waiter, None)
            # Cancelled after it was given a slot, before it could take it: the next one shall have it.
            if not waiter.cancelled() and waiter.result():
                self._free(line)
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _has_room(self, line: _Line) -> bool:
        return self._limit <= 0 or line.running < self._limit

    def _is_full(self, line: _Line) -> bool:
        bounded = self._limit > 0 and self._max_queue > 0
        return bounded and line.admitted >= self._limit + self._max_queue

    def _release(self, line: _Line) -> None:
        self._free(line)
        self._leave(line)
        self._monitor.exited()

    def _free(self, line: _Line) -> None:
        line.running -= 1
        self._wake(line)

    def _leave(self, line: _Line) -> None:
        line.admitted -= 1
        if not line.admitted:
            del self._lines[line.key]

    def _wake(self, line: _Line) -> None:
        while line.waiting and self._has_room(line):
            waiter, _ = line.waiting.popitem()
            if not waiter.done():
                waiter.set_result(True)
                line.running += 1

    def _drop(self, line: _Line, began: float, reason: str) -> None:
        seconds = self._clock.now() - began
        self._rejected[reason] += 1
        self._monitor.dropped(line.key, len(line.waiting), line.running, seconds, reason)


def _expire(line: _Line, waiter: _Waiter) -> None:
    line.waiting.pop(waiter, None)
    if not waiter.done():
        waiter.set_result(False)


def _key_state(line: _Line, now: float) -> KeyState:
    oldest = next(iter(line.waiting.values()), now)
    return KeyState(line.key, line.running, len(line.waiting), now - oldest)
