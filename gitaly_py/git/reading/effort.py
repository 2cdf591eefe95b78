"""What a call does with cat-file processes, for its log entry (daemon.md 4.4)."""

from __future__ import annotations

from collections import defaultdict

from gitaly_py.telemetry import fields


class Effort:
    """Counts steps and their time; kept apart from the call's fields, since there may be very many.

    counts: by step, such as `read_object`.
    """

    __slots__ = ("_seconds", "counts")

    def __init__(self) -> None:
        self.counts: defaultdict[str, int] = defaultdict(int)
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def add(self, step: str, seconds: float, times: int = 1) -> None:
        """A step was done, once or several times, in so many seconds."""
        self.counts[step] += times
        self._seconds[step] += seconds

    def report(self) -> None:
        """Adds it all to the fields of the call in progress."""
        for step, count in self.counts.items():
            fields.add(f"catfile.{step}_count", count)
            fields.add(f"catfile.{step}_ms", round(self._seconds[step] * 1000))
        if self.counts:
            fields.add("catfile.duration_ms", round(sum(self._seconds.values()) * 1000))
