"""The slowest calls of the last minutes, for those who look at a daemon that is slow."""

from __future__ import annotations

import heapq
import math
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

KEPT: Final = 50
"""Calls that are shown."""

WINDOW: Final = 600.0
"""Seconds that a call is shown after it ended."""

_SLICES: Final = 10
_LONGEST: Final = 256
"""Characters of what a client says that are kept."""


@dataclass(frozen=True, slots=True)
class EndedCall:
    """A call that is over.

    method: `/gitaly.CommitService/FindCommit`. repository: `storage:relative path` as the client named it,
    empty without one. seconds: that it took. code: as metrics have it. ended: Unix seconds.
    """

    method: str
    repository: str
    seconds: float
    code: str
    correlation_id: str
    ended: float


class SlowCalls:
    """Keeps the slowest calls of each tenth of a window, so that what is old can be dropped at once.

    A quick call costs its caller one look at `floor` and `until`; only if it is slower than the one or later
    than the other does it belong into `add`. kept: calls that are shown. window: seconds.
    Memory is bounded by `kept` calls a slice. Of the window's oldest slice, which is partly too old, calls
    may be missing that were among its slowest after those that are too old.
    """

    def __init__(self, *, kept: int = KEPT, window: float = WINDOW) -> None:
        self._kept = kept
        self._window = window
        self._slices: deque[list[tuple[float, int, EndedCall]]] = deque(maxlen=_SLICES + 1)
        self._since = -math.inf
        self._added = 0
        self.floor = 0.0
        """Seconds; quicker calls are not among the slowest of the present slice."""
        self.until = -math.inf
        """Unix seconds when the present slice ends."""

    def add(self, call: EndedCall) -> None:
        """Keeps `call` if it is among the slowest."""
        if not self._since <= call.ended < self.until:
            self._turn(call.ended)
        self._added += 1
        entry = (call.seconds, self._added, _shortened(call))
        slowest = self._slices[-1]
        if len(slowest) < self._kept:
            heapq.heappush(slowest, entry)
        else:
            heapq.heappushpop(slowest, entry)
        if len(slowest) == self._kept:
            self.floor = slowest[0][0]

    def slowest(self, now: float | None = None) -> Sequence[EndedCall]:
        """The slowest calls that ended within the window before `now` (Unix seconds), slowest first."""
        oldest = (time.time() if now is None else now) - self._window
        return slowest_of(
            (call for slowest in self._slices for *_, call in slowest if call.ended > oldest), self._kept
        )

    def _turn(self, now: float) -> None:
        """Begins a slice at `now`, also when the clock was set back, unless that is a call reported late."""
        length = self._window / _SLICES
        if self._since - length <= now < self._since:
            return
        self._slices.append([])
        self._since, self.until, self.floor = now, now + length, 0.0


def slowest_of(calls: Iterable[EndedCall], kept: int = KEPT) -> list[EndedCall]:
    """The `kept` slowest, slowest first."""
    return heapq.nlargest(kept, calls, key=lambda call: call.seconds)


def _shortened(call: EndedCall) -> EndedCall:
    """Without more than a line or two of what the client says."""
    if len(call.repository) <= _LONGEST and len(call.correlation_id) <= _LONGEST:
        return call
    return EndedCall(
        call.method,
        call.repository[:_LONGEST],
        call.seconds,
        call.code,
        call.correlation_id[:_LONGEST],
        call.ended,
    )


SLOW_CALLS = SlowCalls()
"""Those of this process."""
