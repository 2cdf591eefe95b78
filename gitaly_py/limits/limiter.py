"""Limits how many hold something at a time, for each of many keys (daemon.md 5.1)."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final

from gitaly_py.limits.clock import LOOP, Clock, Timer
from gitaly_py.limits.errors import QueueFull, QueueTimeout
from gitaly_py.limits.monitor import OTHER, SILENT, Monitor
from gitaly_py.limits.state import KeyState, LimiterState

_CLOCK_STEP: Final = 0.01
"""Seconds by which timers may be early, as another clock has it."""


@dataclass(frozen=True, slots=True)
class LimiterStatistics:
    """A limiter now. limit: holders a key; keys: how many are in use; running, waiting: of all keys."""

    limit: int
    keys: int
    running: int
    waiting: int


@dataclass(slots=True, eq=False)
class _Line:
    """The callers of one key. waiting: the newest last."""

    key: str
    running: int = 0
    waiting: dict[Waiter, None] = field(default_factory=dict)

    @property
    def is_idle(self) -> bool:
        return not self.running and not self.waiting


class Slot:
    """A caller's place among the holders of a key, until `release` or the end of a `with` block.

    release_by: gives it back, and is called once.
    """

    __slots__ = ("_release_by",)

    def __init__(self, release_by: Callable[[], None]) -> None:
        self._release_by: Callable[[], None] | None = release_by

    def release(self) -> None:
        """Gives the slot to the newest waiter; may be called again."""
        release_by, self._release_by = self._release_by, None
        if release_by is not None:
            release_by()

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class Held(Slot):
    """A slot of a limiter of this process. running: holders of its key, this one among them."""

    __slots__ = ("_limiter", "_line", "running")

    def __init__(self, limiter: Limiter, line: _Line) -> None:
        self._limiter: Limiter | None = limiter
        self._line = line
        self.running = line.running

    def release(self) -> None:
        """See Slot."""
        limiter, self._limiter = self._limiter, None
        if limiter is not None:
            limiter.release(self._line)

    def refuse(self) -> None:
        """Nobody has come for it: it counts as never given."""
        limiter, self._limiter = self._limiter, None
        if limiter is not None:
            limiter.take_back(self._line)


Settle = Callable[[Held | None], bool]
"""Takes a slot, or None after the longest wait. False when the caller is gone."""


class Waiter:
    """A caller in line, who hears once how that ends. since: when it lined up, by the limiter's clock."""

    __slots__ = ("_limiter", "_line", "_settle", "since", "timer")

    def __init__(self, limiter: Limiter, line: _Line, since: float, settle: Settle) -> None:
        self._limiter = limiter
        self._line = line
        self._settle = settle
        self.since = since
        self.timer: Timer | None = None

    def settle(self, slot: Held | None) -> bool:
        """It waits no longer."""
        if self.timer is not None:
            self.timer.cancel()
        return self._settle(slot)

    def expire(self) -> None:
        """It has waited for too long."""
        self._limiter.drop(self._line, self, QueueTimeout.reason)
        self.settle(None)

    def leave(self, reason: str = OTHER) -> None:
        """It does not want to wait any longer; nothing if it does not wait."""
        if self._limiter.drop(self._line, self, reason) and self.timer is not None:
            self.timer.cancel()


class Limiter:
    """At most `limit` holders a key; others wait, the newest first.

    Newest first since the oldest waiter is the likeliest to have nobody left who waits for it.
    limit: holders a key; 0 or less admits everyone. max_queue: waiters a key beyond that; 0 is no bound.
    max_wait: seconds; None is no bound. Keys without holders and waiters are forgotten, but for the last one.
    monitor: hears of the callers of `acquire`.
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
        self._last: _Line | None = None
        self._admitted = 0
        self._rejected: Counter[str] = Counter()

    async def acquire(self, key: str) -> Slot:
        """A slot of `key`, as soon as one is free. Raises QueueFull, QueueTimeout."""
        given = self.request(key)
        return given if isinstance(given, Slot) else await given

    def request(self, key: str, deadline: float | None = None) -> Slot | Coroutine[Any, Any, Slot]:
        """See Acquirable."""
        try:
            slot = self.enter(key)
        except QueueFull as error:
            self._monitor.dropped(key, *self.crowd(key), 0.0, error.reason)
            raise
        if slot is None:
            return self._waited(key, deadline)
        self._monitor.passed(key, slot.running)
        return slot

    def enter(self, key: str) -> Held | None:
        """A slot of `key` at once; None if all are taken, but there is room to wait. Raises QueueFull."""
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = _Line(key)
        elif 0 < self._limit <= line.running:
            if 0 < self._max_queue <= line.running + len(line.waiting) - self._limit:
                self._rejected[QueueFull.reason] += 1
                raise QueueFull
            return None
        line.running += 1
        self._admitted += 1
        return Held(self, line)

    def admit(self, key: str) -> Held:
        """A slot of `key` for one who has it already, whatever the limit."""
        return self._give(self._lines.setdefault(key, _Line(key)))

    def line_up(self, key: str, settle: Settle) -> Waiter:
        """Waits for a slot of `key`, of which `enter` has just given none."""
        line = self._lines[key]
        waiter = Waiter(self, line, self._clock.now(), settle)
        line.waiting[waiter] = None
        if self._max_wait is not None:
            waiter.timer = self._clock.call_later(self._max_wait, waiter.expire)
        return waiter

    def release(self, line: _Line) -> None:
        """A holder is done; for Held."""
        line.running -= 1
        if line.waiting:
            self._wake(line)
        elif not line.running and line is not self._last:
            self._forget(line)
        self._monitor.exited()

    def take_back(self, line: _Line) -> None:
        """Takes back a slot that nobody came for; for Held."""
        self._undo(line)
        self._wake(line)

    def drop(self, line: _Line, waiter: Waiter, reason: str) -> bool:
        """A waiter gets no slot; whether it was in line. For Waiter."""
        if waiter not in line.waiting:
            return False
        del line.waiting[waiter]
        self._rejected[reason] += 1
        return True

    def resize(self, limit: int) -> None:
        """Changes the limit of every key. Up: wakes waiters now; down: interrupts nobody."""
        self._limit = limit
        for line in list(self._lines.values()):
            self._wake(line)

    def adjust(self, limit: int, *, max_queue: int, max_wait: float | None) -> None:
        """Changes all that the constructor was given; whoever waits already keeps the former longest wait."""
        self._max_queue = max_queue
        self._max_wait = max_wait
        self.resize(limit)

    def crowd(self, key: str) -> tuple[int, int]:
        """Waiters and holders of a key."""
        line = self._lines.get(key)
        return (0, 0) if line is None else (len(line.waiting), line.running)

    def waited(self, waiter: Waiter) -> float:
        """Seconds that a waiter has been in line by now."""
        return self._clock.now() - waiter.since

    def statistics(self) -> LimiterStatistics:
        """How much is going on."""
        lines = [line for line in self._lines.values() if not line.is_idle]
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
            keys=[_key_state(line, now) for line in self._lines.values() if not line.is_idle],
            admitted=self._admitted,
            rejected=dict(self._rejected),
        )

    async def _waited(self, key: str, deadline: float | None) -> Slot:
        settled: asyncio.Future[Held | None] = asyncio.get_running_loop().create_future()
        waiter = self.line_up(key, lambda slot: _give_to(settled, slot))
        self._monitor.queued(key, self.crowd(key)[0])
        try:
            slot = await settled
            if slot is None:
                raise QueueTimeout
        except (QueueTimeout, asyncio.CancelledError) as error:
            reason = why_waiting_ended(error, deadline)
            waiter.leave(reason)
            if not settled.cancelled() and (given := settled.result()) is not None:
                # Cancelled after it was given a slot, before it could take it: the next one shall have it.
                given.refuse()
            self._monitor.dequeued()
            self._monitor.dropped(key, *self.crowd(key), self.waited(waiter), reason)
            if reason == QueueTimeout.reason:
                raise QueueTimeout from error
            raise
        self._monitor.dequeued()
        self._monitor.entered(slot.running, self.waited(waiter))
        return slot

    def _has_room(self, line: _Line) -> bool:
        return self._limit <= 0 or line.running < self._limit

    def _give(self, line: _Line) -> Held:
        line.running += 1
        self._admitted += 1
        return Held(self, line)

    def _undo(self, line: _Line) -> None:
        line.running -= 1
        self._admitted -= 1
        self._rejected[OTHER] += 1

    def _wake(self, line: _Line) -> None:
        while line.waiting and self._has_room(line):
            waiter, _ = line.waiting.popitem()
            if not waiter.settle(self._give(line)):
                self._undo(line)
        if line.is_idle:
            self._forget(line)

    def _forget(self, line: _Line) -> None:
        """Forgets an idle line once there is another one: who calls mostly calls for the same key again."""
        last, self._last = self._last, line
        if last is not None and last is not line and last.is_idle:
            self._lines.pop(last.key, None)


def why_waiting_ended(error: BaseException, deadline: float | None) -> str:
    """The reason why a caller got no slot. deadline: as of Acquirable.request."""
    too_late = deadline is not None and time.time() >= deadline - _CLOCK_STEP
    return QueueTimeout.reason if too_late or isinstance(error, QueueTimeout) else OTHER


def _give_to(settled: asyncio.Future[Held | None], slot: Held | None) -> bool:
    if settled.done():
        return False
    settled.set_result(slot)
    return True


def _key_state(line: _Line, now: float) -> KeyState:
    oldest = next(iter(line.waiting), None)
    return KeyState(line.key, line.running, len(line.waiting), now - oldest.since if oldest else 0.0)
