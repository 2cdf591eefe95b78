"""Levels and counts over time, in a bounded number of intervals."""

from __future__ import annotations

from collections.abc import Callable
from operator import add
from typing import Final

MAX_INTERVALS: Final = 256
_FIRST_WIDTH: Final = 2.0**-10


class Series:
    """What was running and waiting at most, and how many were refused, in each interval since 0 s.

    width: seconds an interval, a power of two that doubles whenever the intervals no longer suffice.
    """

    def __init__(self) -> None:
        self.width = _FIRST_WIDTH
        self.running: list[int] = [0]
        self.waiting: list[int] = [0]
        self.refused: list[int] = [0]
        self._level = (0, 0)

    def level(self, moment: float, running: int, waiting: int) -> None:
        """So many run and wait from `moment` on; moments never go back."""
        index = self._reach(moment)
        self.running[index] = max(self.running[index], running)
        self.waiting[index] = max(self.waiting[index], waiting)
        self._level = (running, waiting)

    def refuse(self, moment: float) -> None:
        """One is refused at `moment`."""
        index = self._reach(moment)
        self.refused[index] += 1

    def widen(self, width: float) -> None:
        """Makes the intervals `width` seconds wide, a power of two that is not less than theirs is now."""
        while self.width < width:
            self.running = _paired(self.running, max)
            self.waiting = _paired(self.waiting, max)
            self.refused = _paired(self.refused, add)
            self.width *= 2

    def _reach(self, moment: float) -> int:
        """The index of the interval of `moment`, after levels have stayed as they were until then."""
        while moment >= self.width * MAX_INTERVALS:
            self.widen(self.width * 2)
        index = int(moment / self.width)
        missing = index + 1 - len(self.running)
        if missing > 0:
            running, waiting = self._level
            self.running.extend([running] * missing)
            self.waiting.extend([waiting] * missing)
            self.refused.extend([0] * missing)
        return index


def align(*series: Series) -> None:
    """Gives all of them the same intervals: equally wide, equally many."""
    width = max(each.width for each in series)
    for each in series:
        each.widen(width)
    last = max(len(each.running) for each in series)
    for each in series:
        _extend(each, last)


def _extend(series: Series, length: int) -> None:
    for values in (series.running, series.waiting, series.refused):
        values.extend([0] * (length - len(values)))


def _paired(values: list[int], joined: Callable[[int, int], int]) -> list[int]:
    if len(values) % 2:
        values = [*values, 0]
    return [joined(first, second) for first, second in zip(values[::2], values[1::2], strict=True)]
