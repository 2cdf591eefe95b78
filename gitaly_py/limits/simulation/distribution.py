"""How values are spread, in memory that does not grow with their number."""

from __future__ import annotations

from collections import Counter
from math import exp, log
from typing import Final

_STEP: Final = log(1.01)


class Distribution:
    """Counts of values of 0 and above; what it says of them is within 1 %, greatest and sum are exact."""

    __slots__ = ("_buckets", "_zeros", "count", "greatest", "sum")

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self._zeros = 0
        self.count = 0
        self.greatest = 0.0
        self.sum = 0.0

    def add(self, value: float) -> None:
        """Counts one value."""
        self.count += 1
        if value <= 0:
            self._zeros += 1
            return
        self.sum += value
        self._buckets[round(log(value) / _STEP)] += 1
        if value > self.greatest:
            self.greatest = value

    def quantile(self, part: float) -> float:
        """The least value that at least `part` (0 to 1) of the values are not above; 0 without values."""
        wanted = part * self.count
        seen = self._zeros
        if seen >= wanted:
            return 0.0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= wanted:
                return min(exp(bucket * _STEP), self.greatest)
        return self.greatest
