"""What callers of limiters went through, counted."""

from __future__ import annotations

from collections import Counter
from typing import Final

from gitaly_py.limits.simulation.distribution import Distribution
from gitaly_py.limits.simulation.series import Series

DELAY: Final = 0.0005
"""Seconds from which a wait counts as a delay: logs round waits to milliseconds."""


class Tally:
    """What the callers of a limiter, or of one key of it, went through.

    running, waiting: now; peaks: the most of them whenever time moved on. waits: seconds, of those that got
    a slot. refused: by reason. first_refusal, last_refusal: seconds, None without one.
    """

    __slots__ = (
        "calls",
        "delayed",
        "first_refusal",
        "last_refusal",
        "peak_running",
        "peak_waiting",
        "refused",
        "running",
        "waiting",
        "waits",
    )

    def __init__(self) -> None:
        self.calls = 0
        self.running = 0
        self.waiting = 0
        self.peak_running = 0
        self.peak_waiting = 0
        self.delayed = 0
        self.waits = Distribution()
        self.refused: Counter[str] = Counter()
        self.first_refusal: float | None = None
        self.last_refusal: float | None = None

    @property
    def refusals(self) -> int:
        """Callers that got no slot, whatever the reason."""
        return self.refused.total()

    def arrived(self) -> None:
        self.calls += 1
        self.waiting += 1

    def entered(self, wait: float) -> None:
        self.waiting -= 1
        self.running += 1
        self.waits.add(wait)
        if wait >= DELAY:
            self.delayed += 1

    def exited(self) -> None:
        self.running -= 1

    def dropped(self, moment: float, wait: float, reason: str) -> None:
        self.waiting -= 1
        self.refused[reason] += 1
        if wait >= DELAY:
            self.delayed += 1
        if self.first_refusal is None:
            self.first_refusal = moment
        self.last_refusal = moment

    def settle(self) -> None:
        """Time moves on: what runs and waits now did so for a while."""
        if self.running > self.peak_running:
            self.peak_running = self.running
        if self.waiting > self.peak_waiting:
            self.peak_waiting = self.waiting


class LimiterTally:
    """One limiter: all of its callers, those of each key, and what was going on over time."""

    def __init__(self, board: Board) -> None:
        self.total = Tally()
        self.keys: dict[str, Tally] = {}
        self.series = Series()
        self._changed = board.changed

    def arrived(self, key: str) -> None:
        """A caller wants a slot of `key`."""
        tally = self.keys.get(key)
        if tally is None:
            tally = self.keys[key] = Tally()
        self.total.arrived()
        tally.arrived()
        self._note(tally)

    def entered(self, key: str, wait: float) -> None:
        """It got one after `wait` seconds."""
        tally = self.keys[key]
        self.total.entered(wait)
        tally.entered(wait)
        self._note(tally)

    def exited(self, key: str) -> None:
        """It gave it back."""
        tally = self.keys[key]
        self.total.exited()
        tally.exited()
        self._note(tally)

    def dropped(self, key: str, moment: float, wait: float, reason: str) -> None:
        """It got none, after `wait` seconds, at `moment`."""
        tally = self.keys[key]
        self.total.dropped(moment, wait, reason)
        tally.dropped(moment, wait, reason)
        self.series.refuse(moment)
        self._note(tally)

    def settle(self, moment: float) -> None:
        """Nothing more happens at `moment`."""
        self.total.settle()
        self.series.level(moment, self.total.running, self.total.waiting)

    def _note(self, tally: Tally) -> None:
        self._changed[tally] = None
        self._changed[self] = None


class Board:
    """The tallies of several limiters, by their names."""

    def __init__(self) -> None:
        self.limiters: dict[str, LimiterTally] = {}
        self.changed: dict[Tally | LimiterTally, None] = {}

    def of(self, name: str) -> LimiterTally:
        """The tally of the limiter `name`, a new one if there is none yet."""
        tally = self.limiters.get(name)
        if tally is None:
            tally = self.limiters[name] = LimiterTally(self)
        return tally

    def settle(self, moment: float) -> None:
        """Nothing more happens at `moment`; moments never go back."""
        for tally in self.changed:
            if isinstance(tally, LimiterTally):
                tally.settle(moment)
            else:
                tally.settle()
        self.changed.clear()
