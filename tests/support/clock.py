"""A clock that only moves when a test moves it."""

from __future__ import annotations

from collections.abc import Callable


class FakeTimer:
    """A call that is to come, until it is cancelled."""

    def __init__(self, due: float, callback: Callable[[], None]) -> None:
        self.due = due
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeClock:
    """Stands for the clock of an event loop (`gitaly_py.limits.clock`)."""

    def __init__(self) -> None:
        self._now = 0.0
        self._timers: list[FakeTimer] = []

    def now(self) -> float:
        return self._now

    def call_later(self, seconds: float, callback: Callable[[], None]) -> FakeTimer:
        timer = FakeTimer(self._now + seconds, callback)
        self._timers.append(timer)
        return timer

    @property
    def timers(self) -> int:
        """Calls that are to come."""
        return sum(not timer.cancelled for timer in self._timers)

    @property
    def pending(self) -> list[float]:
        """Seconds until each of them, the next one first."""
        return sorted(timer.due - self._now for timer in self._timers if not timer.cancelled)

    def advance(self, seconds: float) -> None:
        """Moves on, and makes the calls that are due by then."""
        self._now += seconds
        due = sorted((timer for timer in self._timers if timer.due <= self._now), key=lambda timer: timer.due)
        self._timers = [timer for timer in self._timers if timer not in due]
        for timer in due:
            if not timer.cancelled:
                timer.callback()
