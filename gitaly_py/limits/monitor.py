"""What a limiter tells of itself, to whoever makes metrics and log fields of it (daemon.md 5.1)."""

from __future__ import annotations

OTHER = "other"
"""Why a caller was dropped that did not wait any longer: it was cancelled."""


class Monitor:
    """The moments of a caller's way through a limiter; this one stays silent.

    Each method runs in the caller's context. A caller is queued and dequeued even if it need not wait;
    then it either enters and exits, or is dropped. One that finds the queue full is only dropped.
    """

    def queued(self, key: str, waiting: int) -> None:
        """A caller lines up for `key`. waiting: callers in line, this one among them."""

    def dequeued(self) -> None:
        """A caller is in line no longer, whatever comes next."""

    def entered(self, running: int, seconds: float) -> None:
        """A caller got its slot after `seconds`. running: holders of its key, this one among them."""

    def passed(self, key: str, running: int) -> None:
        """A caller got its slot at once: queued, dequeued and entered."""
        self.queued(key, 1)
        self.dequeued()
        self.entered(running, 0.0)

    def exited(self) -> None:
        """A holder gave its slot back."""

    def dropped(self, key: str, waiting: int, running: int, seconds: float, reason: str) -> None:
        """A caller gets no slot, after `seconds`.

        waiting, running: others of its key. reason: of the LimitReached, or OTHER.
        """


SILENT = Monitor()
