"""Limits that follow the load: they grow by one, and shrink by half (daemon.md 5.3)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from gitaly_py.limits.clock import LOOP, Clock
from gitaly_py.limits.conditions import Condition, Event
from gitaly_py.limits.load import Load
from gitaly_py.telemetry import metrics
from gitaly_py.telemetry.tasks import end_all, spawn

_log = structlog.get_logger("gitaly")

POLL_SECONDS: Final = 10
CALIBRATION_SECONDS: Final = 30
_BUDGET_SECONDS: Final = 3


@dataclass(slots=True)
class _Limit:
    current: int
    minimum: int
    maximum: int
    resize: Callable[[int], None]

    def grown(self) -> int:
        return min(self.current + 1, self.maximum)

    def shrunk(self) -> int:
        return max(self.current // 2, self.minimum)


class AdaptiveLimits:
    """All adaptive limits of the daemon; they move together.

    load: reads what the conditions look at, in a thread, since it may block; it may raise OSError or
    ValueError. None where nothing is known of the load, so that limits only grow. conditions: see
    `conditions.conditions`.
    """

    def __init__(
        self, load: Callable[[], Load] | None, conditions: Sequence[Condition], *, clock: Clock = LOOP
    ) -> None:
        self._load = load
        self._conditions = conditions
        self._clock = clock
        self._limits: dict[str, _Limit] = {}
        self._event: Event | None = None
        self._reading: asyncio.Future[Load] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    def add(self, name: str, initial: int, minimum: int, maximum: int, resize: Callable[[int], None]) -> None:
        """Moves a limit from now on, beginning with `initial`; one of that name is replaced.

        name: a metric label. resize: told every new value, the first one now. A limit stays within its
        bounds, of which the lower one is at least 1 and wins, since a limit of 0 would admit everyone.
        """
        lowest = max(minimum, 1)
        highest = max(maximum, lowest)
        limit = _Limit(min(max(initial, lowest), highest), lowest, highest, resize)
        self._limits[name] = limit
        self._set(name, limit, limit.current)

    def remove(self, name: str) -> None:
        """Moves a limit no longer. Raises KeyError for one that isn't there."""
        del self._limits[name]
        metrics.concurrency_limiting_current_limit.remove(name)

    def watch(self, conditions: Sequence[Condition]) -> None:
        """Looks at other conditions from now on."""
        self._conditions = conditions

    def current(self) -> dict[str, int]:
        """Every limit as it is now."""
        return {name: limit.current for name, limit in self._limits.items()}

    def start(self) -> None:
        """Polls and calibrates from now on, in the running event loop."""
        for name, seconds, step in (
            ("load poll", POLL_SECONDS, self.poll),
            ("limit calibration", CALIBRATION_SECONDS, self._calibrate),
        ):
            spawn(self._repeat(name, seconds, step), name=f"{name} timer", owner=self._tasks)

    async def stop(self) -> None:
        """Leaves the limits as they are."""
        await end_all(self._tasks)

    async def poll(self) -> None:
        """Looks at the load once; what can't be read in time is no reason to shrink limits."""
        if not self._limits:
            return
        load = await self._read()
        if load is None:
            return
        for condition in self._conditions:
            event = condition.check(load)
            if event is not None:
                self._event = event
                metrics.concurrency_limiting_backoff_events.labels(event.condition).inc()

    def calibrate(self) -> None:
        """Moves every limit: down if there was a reason since the last time, else up."""
        event, self._event = self._event, None
        for name, limit in list(self._limits.items()):
            previous = limit.current
            new = limit.grown() if event is None else limit.shrunk()
            change = {"limit_rpc": name, "previous_limit": previous, "new_limit": new}
            if event is None:
                _log.debug("Additive increase", **change)
            else:
                _log.info("Multiplicative decrease", **change, **_described(event))
            if new != previous:
                self._set(name, limit, new)

    async def _read(self) -> Load | None:
        if self._load is None:
            return None
        # A thread can't be interrupted: the next poll goes on waiting for one that takes too long.
        if self._reading is None:
            self._reading = asyncio.get_running_loop().run_in_executor(None, self._load)
        if not await self._in_time(self._reading):
            _log.warning("load not read in time", seconds=_BUDGET_SECONDS)
            return None
        reading, self._reading = self._reading, None
        try:
            return reading.result()
        except (OSError, ValueError) as error:
            _log.warning("load not read", error=str(error))
            return None

    async def _in_time(self, reading: asyncio.Future[Load]) -> bool:
        over = asyncio.Event()
        reading.add_done_callback(lambda _: over.set())
        timer = self._clock.call_later(_BUDGET_SECONDS, over.set)
        try:
            await over.wait()
        finally:
            timer.cancel()
        return reading.done()

    async def _repeat(self, name: str, seconds: float, step: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Each step is a task of its own, so that one that fails is logged and the next one still comes."""
        while True:
            passed = asyncio.Event()
            timer = self._clock.call_later(seconds, passed.set)
            try:
                await passed.wait()
            finally:
                timer.cancel()
            await asyncio.wait({spawn(step(), name=name, owner=self._tasks)})

    async def _calibrate(self) -> None:
        self.calibrate()

    def _set(self, name: str, limit: _Limit, value: int) -> None:
        limit.current = value
        limit.resize(value)
        metrics.concurrency_limiting_current_limit.labels(name).set(value)


def _described(event: Event) -> dict[str, object]:
    stats = {f"stats.{name}": value for name, value in event.stats.items()}
    return {"condition": event.condition, "reason": event.reason, **stats}
