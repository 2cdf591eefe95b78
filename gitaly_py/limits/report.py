"""What a limiter does, in metrics and in the log line of the call that it holds up (daemon.md 5.1, 7)."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import Gauge

from gitaly_py.limits.monitor import Monitor
from gitaly_py.telemetry import fields
from gitaly_py.telemetry.call_metrics import HistogramSeries


class Report(Monitor):
    """Reports one limiter.

    kind: value of `limit.limiting_type`. queued, in_progress: callers now. seconds: until one got its slot.
    dropped: told why one gets none.
    """

    def __init__(
        self,
        kind: str,
        *,
        queued: Gauge,
        in_progress: Gauge,
        seconds: HistogramSeries,
        dropped: Callable[[str], None],
    ) -> None:
        self._kind = kind
        self._queued = queued
        self._in_progress = in_progress
        self._seconds = seconds
        self._dropped = dropped

    def queued(self, key: str, waiting: int) -> None:
        """See Monitor."""
        self._queued.inc()
        self._put_place(key, waiting)

    def dequeued(self) -> None:
        """See Monitor."""
        self._queued.dec()

    def entered(self, running: int, seconds: float) -> None:
        """See Monitor."""
        self._in_progress.inc()
        self._seconds.observe(seconds)
        _put_outcome(running, seconds)

    def exited(self) -> None:
        """See Monitor."""
        self._in_progress.dec()

    def dropped(self, key: str, waiting: int, running: int, seconds: float, reason: str) -> None:
        """See Monitor."""
        self._dropped(reason)
        self._put_place(key, waiting)
        _put_outcome(running, seconds)
        fields.put("limit.concurrency_dropped", reason)

    def _put_place(self, key: str, waiting: int) -> None:
        fields.put("limit.limiting_type", self._kind)
        fields.put("limit.limiting_key", key)
        fields.put("limit.concurrency_queue_length", waiting)


def _put_outcome(running: int, seconds: float) -> None:
    fields.put("limit.concurrency_queue_ms", round(seconds * 1000))
    fields.put("limit.concurrency_in_progress", running)
