"""What a limiter does, in metrics and in the log line of the call that it holds up (daemon.md 5.1, 7)."""

from __future__ import annotations

from collections.abc import Callable

from gitaly_py.limits.monitor import Monitor
from gitaly_py.telemetry import fields
from gitaly_py.telemetry.call_metrics import GaugeSeries, HistogramSeries


class Report(Monitor):
    """Reports one limiter.

    kind: value of `limit.limiting_type`. queued, in_progress: callers now. seconds: until one got its slot.
    dropped: told why one gets none.
    """

    def __init__(
        self,
        kind: str,
        *,
        queued: GaugeSeries,
        in_progress: GaugeSeries,
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
        self._queued.value += 1
        fields.put_all(self._place(key, waiting))

    def dequeued(self) -> None:
        """See Monitor."""
        self._queued.value -= 1

    def entered(self, running: int, seconds: float) -> None:
        """See Monitor."""
        self._in_progress.value += 1
        self._seconds.observe(seconds)
        fields.put_all(_outcome(running, seconds))

    def passed(self, key: str, running: int) -> None:
        """See Monitor."""
        self._in_progress.value += 1
        self._seconds.observe(0.0)
        fields.put_all(
            {
                "limit.limiting_type": self._kind,
                "limit.limiting_key": key,
                "limit.concurrency_queue_length": 1,
                "limit.concurrency_queue_ms": 0,
                "limit.concurrency_in_progress": running,
            }
        )

    def exited(self) -> None:
        """See Monitor."""
        self._in_progress.value -= 1

    def dropped(self, key: str, waiting: int, running: int, seconds: float, reason: str) -> None:
        """See Monitor."""
        self._dropped(reason)
        fields.put_all(self._place(key, waiting) | _outcome(running, seconds))
        fields.put("limit.concurrency_dropped", reason)

    def _place(self, key: str, waiting: int) -> dict[str, object]:
        return {
            "limit.limiting_type": self._kind,
            "limit.limiting_key": key,
            "limit.concurrency_queue_length": waiting,
        }


def _outcome(running: int, seconds: float) -> dict[str, object]:
    return {
        "limit.concurrency_queue_ms": round(seconds * 1000),
        "limit.concurrency_in_progress": running,
    }
