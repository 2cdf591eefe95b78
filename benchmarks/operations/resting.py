"""A daemon that nobody calls: its memory, and how long it takes to be there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median

from benchmarks.harness import Row
from benchmarks.operations.fleet import fleet

_ASKED_MB = 200.0
_SETTLE_SECONDS = 2.0


def figures(quick: bool) -> Iterator[Row]:
    """Memory of a supervisor with two workers against what is asked for; starts against that with one."""
    with fleet(workers=2) as resting:
        time.sleep(_SETTLE_SECONDS)
        each = [process.memory_full_info() for process in resting.processes]
    name = "memory at rest, supervisor and 2 workers"
    yield Row(f"{name}: own (USS)", sum(one.uss for one in each) / 1e6, _ASKED_MB, "MB", 1.0)
    yield Row(f"{name}: with their share (PSS)", sum(one.pss for one in each) / 1e6, _ASKED_MB, "MB", 1.0)
    yield Row(f"{name}: sum of RSS", sum(one.rss for one in each) / 1e6, _ASKED_MB, "MB")
    times: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(3 if quick else 9):
        for workers, found in times.items():
            found.append(_start(workers))
    yield Row("start, 2 workers (reference: 1 worker)", median(times[2]), median(times[1]), "s")


def _start(workers: int) -> float:
    with fleet(workers=workers) as started:
        return started.seconds
