"""What the benchmarks share: rows, timing, a daemon to measure."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gitaly_py.config.rpc import DEFAULT_ENGINE
from tests.support.daemon import Daemon


@dataclass(frozen=True)
class Row:
    """One figure beside its reference.

    measured, reference: in `unit`. limit: the largest ratio that is asked for, None where the figure
    is only printed.
    """

    name: str
    measured: float
    reference: float
    unit: str
    limit: float | None = None

    @property
    def ratio(self) -> float:
        return self.measured / self.reference if self.reference else float("nan")

    def __str__(self) -> str:
        wanted = "" if self.limit is None else f"  (asked for: {self.limit:g} at most)"
        return (
            f"{self.name:<58} {self.measured:>10.3f} {self.unit:<6}"
            f" reference {self.reference:>10.3f} {self.unit:<6}"
            f" ratio {self.ratio:>6.2f}{wanted}"
        )


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one run."""
    since = time.perf_counter()
    work()
    return time.perf_counter() - since


async def seconds_async(work: Callable[[], Awaitable[object]]) -> float:
    """Wall time of one run of a coroutine."""
    since = time.perf_counter()
    await work()
    return time.perf_counter() - since


async def medians(runs: int, *works: Callable[[], Awaitable[object]]) -> list[float]:
    """Median wall time of each work; the works take turns, so that noise meets all of them alike."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(runs):
        for work, found in zip(works, times, strict=True):
            found.append(await seconds_async(work))
    return [statistics.median(found) for found in times]


@contextmanager
def workspace() -> Iterator[Path]:
    """A folder that is removed again."""
    with tempfile.TemporaryDirectory(prefix="gitaly-benchmark-") as folder:
        yield Path(folder)


@asynccontextmanager
async def running_daemon(root: Path, *, extra: str = "") -> AsyncIterator[Daemon]:
    """A daemon of its own process, with default logging and metrics on."""
    daemon = Daemon(root, engine=DEFAULT_ENGINE, extra=extra).start()
    try:
        yield daemon
    finally:
        await daemon.close_channel()
        daemon.stop()
