"""What is worth telling of a plan, whatever tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from gitaly_py.limits.simulation.tally import LimiterTally, Tally
from gitaly_py.planning.plan import Comparison, Plan

QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


class Peaks(NamedTuple):
    """The most callers of one key, at a time."""

    running: int
    waiting: int


class Totals(NamedTuple):
    """All limiters together. waits: seconds, of all that waited and got a slot. refused: by reason."""

    delayed: int
    waits: float
    refused: dict[str, int]


def peaks(limiter: LimiterTally) -> Peaks:
    """Those of the busiest keys."""
    tallies = limiter.keys.values()
    return Peaks(
        running=max((each.peak_running for each in tallies), default=0),
        waiting=max((each.peak_waiting for each in tallies), default=0),
    )


def totals(tallies: Iterable[LimiterTally]) -> Totals:
    """What they sum up to."""
    delayed, waits, refused = 0, 0.0, Counter[str]()
    for each in tallies:
        delayed += each.total.delayed
        waits += each.total.waits.sum
        refused.update(each.total.refused)
    return Totals(delayed, waits, dict(refused))


def worst_keys(limiter: Comparison, count: int) -> Sequence[tuple[str, Tally, Tally]]:
    """Keys that were held up, then or now, the ones with most refusals and waiting first; at most `count`."""
    none = Tally()
    pairs = [
        (key, limiter.recorded.keys.get(key, none), limiter.simulated.keys.get(key, none))
        for key in {**limiter.recorded.keys, **limiter.simulated.keys}
    ]
    held_up = [pair for pair in pairs if any(each.delayed or each.refusals for each in pair[1:])]
    return sorted(held_up, key=_badness, reverse=True)[:count]


def utc(plan: Plan, moment: float | None) -> str | None:
    """A moment in seconds since the first arrival, as the log writes moments."""
    if moment is None:
        return None
    found = datetime.fromtimestamp(plan.log.first + moment, UTC)
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _badness(pair: tuple[str, Tally, Tally]) -> tuple[int, float]:
    _, old, new = pair
    return old.refusals + new.refusals, old.waits.sum + new.waits.sum
