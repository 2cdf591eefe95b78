"""Time limits of streams: of the same length for all, so that one timer does for any number of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitaly_py.transport.yamux.stream import Stream


class Deadlines:
    """Calls `expired` with each stream whose time is not stopped within `seconds` of its start.

    Nearly every stream is stopped long before, and starting and ending a timer costs a short call more
    than its bytes do.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, seconds: float, expired: Callable[[Stream], None]
    ) -> None:
        self._loop = loop
        self._seconds = seconds
        self._expired = expired
        self._due: dict[Stream, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def start(self, stream: Stream) -> None:
        """The time of a stream begins; that of one stream begins once."""
        self._due[stream] = self._loop.time() + self._seconds
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._check)

    def stop(self, stream: Stream) -> None:
        """What the stream had time for has happened, or will not matter any more."""
        self._due.pop(stream, None)

    def clear(self) -> None:
        """Nothing is due any more."""
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        """Those that are due come first, since all have the same time."""
        self._timer = None
        now = self._loop.time()
        for stream in [stream for stream, due in self._due.items() if due <= now]:
            self.stop(stream)
            self._expired(stream)
        if self._due:
            next_due = next(iter(self._due.values()))
            self._timer = self._loop.call_later(max(next_due - now, 0), self._check)
