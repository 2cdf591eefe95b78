"""How often a pack was asked for lately: what is asked for once is not worth keeping (transport.md 7.5)."""

from __future__ import annotations

from collections.abc import Callable


class Occurrences:
    """Counts requests for each key, in two generations; a key that nobody asks for is forgotten.

    period: seconds of a generation.
    """

    def __init__(self, period: float, clock: Callable[[], float]) -> None:
        self._period = period
        self._clock = clock
        self._began = clock()
        self._recent: dict[str, int] = {}
        self._former: dict[str, int] = {}

    def count(self, key: str) -> int:
        """Counts one more request; returns how many there were before it."""
        self._rotate()
        before = self._recent.get(key, 0) + self._former.pop(key, 0)
        self._recent[key] = before + 1
        return before

    def _rotate(self) -> None:
        elapsed = self._clock() - self._began
        if elapsed < self._period:
            return
        self._former = self._recent if elapsed < 2 * self._period else {}
        self._recent = {}
        self._began += elapsed
