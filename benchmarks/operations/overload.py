"""A daemon that is offered ten times what it can do, with limits and without.

Heavy calls are archives (GetArchive, gzip), most of which is work of git and gzip; with each go fifty light
ones (FindCommit). The daemon's two workers have the first core with all that they start, the client the last.
What a core can do follows from the processor time of either kind of call, taken when nothing else runs; the
offers are multiples of it.

Goodput is work: the processor time that successful calls would have taken by themselves, a second. So a heavy
call counts as much as many light ones, and a daemon that answers nothing but the light ones is not a good
one. The numbers of both have rows, too. The best goodput is that of the best offer of the same run. It
may be more than a core has: light calls that come together cost less each than those they were weighed by.

Users are patient for some seconds, then they hang up. Back to normal is when no call of the overload is under
way any more and the light ones of the time after it have what they had before: 95 % of those of each quarter
of a second within twice the idle p99.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from benchmarks.harness import Row
from benchmarks.operations.calls import FIND_COMMIT, GET_ARCHIVE, archive, find_commit
from benchmarks.operations.fleet import Fleet, fleet, limit
from benchmarks.operations.offering import Offer, Taken, offer, percentile

OVERLOAD = 10.0

_LIGHT_PER_HEAVY = 50
_MEGABYTES = 6
_HEAVY_BYTES, _LIGHT_BYTES = _MEGABYTES * 10**6, 100
_LIGHT_RATE, _HEAVY_RATE = 1500.0, 1.5
"""At which one of them is weighed: few calls at a time cost more each."""

_EASY_RATE = 100.0
_PATIENCE = 4.0
_CONNECTIONS = 4
_SAMPLE_SECONDS = 0.5
_WINDOW_SECONDS = 0.25
_LIMITS = limit(GET_ARCHIVE, 2, queue=4, wait="2s") + limit(FIND_COMMIT, 50, queue=500, wait="2s")


@dataclass(frozen=True)
class Point:
    """What became of an offer. offered: multiple of what the daemon can do. goodput: work a second.

    heavy, light: successful calls a second. p99: of the light ones, seconds. memory: growth in bytes.
    processes: most that the daemon had at once, its own included. waited: for the last calls, seconds.
    """

    offered: float
    goodput: float
    heavy: float
    light: float
    p99: float
    memory: int
    processes: int
    waited: float


@dataclass(frozen=True)
class Curve:
    """All offers to one daemon. idle: p99 of light calls alone. normal: seconds until back to it."""

    name: str
    idle: float
    points: Sequence[Point]
    normal: float

    @property
    def best(self) -> Point:
        """The offer with the best goodput."""
        return max(self.points, key=lambda point: point.goodput)


@dataclass(frozen=True)
class _Plan:
    """Seconds of each step. offers: multiples of what the daemon can do, but for the overload."""

    offers: Sequence[float]
    step: float
    overload: float
    quiet: float


_QUICK = _Plan((0.5, 1.0, 2.0), step=4, overload=6, quiet=3)
_FULL = _Plan((0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0), step=10, overload=60, quiet=8)


def figures(quick: bool) -> Iterator[Row | Curve]:
    """The daemon with limits, then the one without, which is nobody's reference."""
    plan = _QUICK if quick else _FULL
    for name, tables in (("limits", _LIMITS), ("no limits", "")):
        curve = _curve(name, tables, plan)
        yield curve
        yield from _rows(curve)


def _rows(curve: Curve) -> Iterator[Row]:
    worst, best = curve.points[-1], curve.best
    name = f"{OVERLOAD:g} times the load, {curve.name}"
    yield Row(f"{name}: goodput (best, at {best.offered:g})", worst.goodput, best.goodput, "work/s")
    most = max(point.heavy for point in curve.points)
    yield Row("  heavy calls that succeed (most at any offer)", worst.heavy, most, "/s")
    yield Row("  light calls that succeed (offered)", worst.light, _light_offered(worst, best), "/s")
    yield Row("  light p99 (idle)", worst.p99 * 1e3, curve.idle * 1e3, "ms")
    yield Row("  light p99 at the best goodput (idle)", best.p99 * 1e3, curve.idle * 1e3, "ms")
    yield Row("  memory growth (at the best)", worst.memory / 1e6, best.memory / 1e6, "MB")
    yield Row("  most processes at once (at the best)", worst.processes, best.processes, "")
    yield Row("  back to normal after (reference: patience)", curve.normal, _PATIENCE, "s")


def _light_offered(worst: Point, best: Point) -> float:
    """Light calls a second of the overload, from those of the best offer."""
    return best.light * worst.offered / best.offered


def _curve(name: str, tables: str, plan: _Plan) -> Curve:
    cores = sorted(os.sched_getaffinity(0))
    with fleet(workers=2, tables=tables, cores={cores[0]}) as measured, _client(cores[-1]) as pool:
        bench = _Bench(measured, pool)
        bench.weigh(plan.quiet)
        idle, _ = bench.light_alone(plan.quiet)
        points = [bench.point(multiple, plan.step) for multiple in plan.offers]
        points.append(bench.point(OVERLOAD, plan.overload))
        _, quiet = bench.light_alone(plan.quiet)
        return Curve(name, idle, points, points[-1].waited + _disturbed(quiet, 2 * idle))


class _Bench:
    """Offers calls to a daemon out of the client's process."""

    def __init__(self, measured: Fleet, pool: ProcessPoolExecutor) -> None:
        self._measured = measured
        self._pool = pool
        self._targets = find_commit(measured), archive(measured, _MEGABYTES, "TAR_GZ")
        self._weights = (0.0, 0.0)
        self._largest = self._processes = 0

    def weigh(self, seconds: float) -> None:
        """Finds the processor time of a light and of a heavy call, each by itself."""
        light, heavy = self._targets
        self._weights = (
            self._cost(Offer(light, _LIGHT_RATE, _LIGHT_BYTES, _PATIENCE), seconds),
            self._cost(Offer(heavy, _HEAVY_RATE, _HEAVY_BYTES, _PATIENCE), seconds),
        )

    def light_alone(self, seconds: float) -> tuple[float, Taken]:
        """The p99 of light calls when nothing else is done, at a rate that is easy to serve."""
        light, _ = self._targets
        ([taken], _) = self._offer([Offer(light, _EASY_RATE, _LIGHT_BYTES, _PATIENCE)], seconds)
        return taken.percentile(0.99), taken

    def point(self, multiple: float, seconds: float) -> Point:
        """What becomes of an offer."""
        weight_light, weight_heavy = self._weights
        heavy_rate = multiple / (weight_heavy + _LIGHT_PER_HEAVY * weight_light)
        rates = heavy_rate * _LIGHT_PER_HEAVY, heavy_rate
        sizes = _LIGHT_BYTES, _HEAVY_BYTES
        before = self._measured.memory()
        (light, heavy), waited = self._offer(
            [Offer(*each, _PATIENCE) for each in zip(self._targets, rates, sizes, strict=True)], seconds
        )
        whole = seconds + waited
        counts = len(light.latencies) / whole, len(heavy.latencies) / whole
        return Point(
            offered=multiple,
            goodput=counts[0] * weight_light + counts[1] * weight_heavy,
            heavy=counts[1],
            light=counts[0],
            p99=light.percentile(0.99),
            memory=self._largest - before,
            processes=self._processes,
            waited=waited,
        )

    def _cost(self, kind: Offer, seconds: float) -> float:
        before = self._cpu_seconds()
        ([taken], _) = self._offer([kind], seconds)
        return (self._cpu_seconds() - before) / len(taken.latencies)

    def _cpu_seconds(self) -> float:
        """Of the daemon and of the git processes that have ended."""
        times = [process.cpu_times() for process in self._measured.processes]
        return sum(each.user + each.system + each.children_user + each.children_system for each in times)

    def _offer(self, offers: list[Offer], seconds: float) -> tuple[list[Taken], float]:
        self._largest = self._processes = 0
        future: Future[tuple[list[Taken], float]] = self._pool.submit(offer, offers, seconds, _CONNECTIONS)
        while not wait([future], timeout=_SAMPLE_SECONDS).done:
            self._sample()
        self._sample()
        return future.result()

    def _sample(self) -> None:
        self._largest = max(self._largest, self._measured.memory())
        below = psutil.Process(self._measured.daemon.pid).children(recursive=True)
        self._processes = max(self._processes, 1 + len(below))


def _disturbed(taken: Taken, allowed: float) -> float:
    """Seconds from the beginning to the end of the last window that was too slow."""
    windows: dict[int, list[float]] = {}
    for due, seconds in taken.latencies:
        windows.setdefault(int(due / _WINDOW_SECONDS), []).append(seconds)
    slow = [window for window, found in windows.items() if percentile(found, 0.95) > allowed]
    return (max(slow) + 1) * _WINDOW_SECONDS if slow else 0.0


@contextmanager
def _client(core: int) -> Iterator[ProcessPoolExecutor]:
    """A process for the client, on a core of its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, os.sched_setaffinity, (0, {core})) as pool:
        yield pool
