"""Limits that follow the load (daemon.md 5.3)."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gitaly_py.limits.adaptive import AdaptiveLimits
from gitaly_py.limits.conditions import CgroupCpu, CgroupMemory, Condition, Event
from gitaly_py.limits.limiter import Limiter
from gitaly_py.limits.load import Load
from gitaly_py.telemetry.metrics import REGISTRY
from tests.support.clock import FakeClock

MEMORY = [CgroupMemory(0.6)]


class Source:
    """Where loads come from; out of memory while `short`."""

    def __init__(self) -> None:
        self.short = False
        self.reads = 0

    def __call__(self) -> Load:
        self.reads += 1
        return Load("g", float(self.reads), under_oom=self.short)


def nothing(_: int) -> None:
    pass


def gauge(name: str) -> float | None:
    return REGISTRY.get_sample_value("gitaly_concurrency_limiting_current_limit", {"limit": name})


def events(watcher: str) -> float:
    name = "gitaly_concurrency_limiting_backoff_events_total"
    return REGISTRY.get_sample_value(name, {"watcher": watcher}) or 0


async def after(limits: AdaptiveLimits, source: Source, course: Sequence[bool]) -> list[int]:
    """The values of `x` after each calibration, with one poll before it."""
    values = []
    for short in course:
        source.short = short
        await limits.poll()
        limits.calibrate()
        values.append(limits.current()["x"])
    return values


async def test_a_limit_grows_by_one_and_shrinks_by_half_within_its_bounds() -> None:
    source = Source()
    limits = AdaptiveLimits(source, MEMORY)
    limits.add("x", 9, 2, 11, nothing)

    assert limits.current() == {"x": 9}
    assert await after(limits, source, [False, False, False]) == [10, 11, 11]
    assert await after(limits, source, [True, True, True, False]) == [5, 2, 2, 3]


async def test_all_limits_move_together() -> None:
    source = Source()
    limits = AdaptiveLimits(source, MEMORY)
    limits.add("x", 10, 1, 20, nothing)
    limits.add("y", 7, 5, 8, nothing)

    await after(limits, source, [False])
    assert limits.current() == {"x": 11, "y": 8}
    await after(limits, source, [True])
    assert limits.current() == {"x": 5, "y": 5}


async def test_many_events_shrink_a_limit_once() -> None:
    source = Source()
    limits = AdaptiveLimits(source, [*MEMORY, CgroupMemory(0.9)])
    limits.add("x", 100, 1, 100, nothing)
    source.short = True
    before = events("CgroupMemory")

    for _ in range(3):
        await limits.poll()
    limits.calibrate()
    limits.calibrate()

    assert limits.current() == {"x": 51}
    assert events("CgroupMemory") == before + 6


async def test_a_limiter_follows() -> None:
    limiter = Limiter(4)
    source = Source()
    limits = AdaptiveLimits(source, MEMORY)
    limits.add("x", 4, 1, 5, limiter.resize)

    await after(limits, source, [True])
    assert limiter.statistics().limit == 2
    await after(limits, source, [False])
    assert limiter.statistics().limit == 3


async def test_the_metric_shows_the_limits_that_there_are() -> None:
    source = Source()
    limits = AdaptiveLimits(source, MEMORY)
    limits.add("perRPC/shown", 10, 1, 20, nothing)
    assert gauge("perRPC/shown") == 10

    limits.calibrate()
    assert gauge("perRPC/shown") == 11
    limits.remove("perRPC/shown")
    limits.calibrate()

    assert gauge("perRPC/shown") is None
    assert limits.current() == {}
    with pytest.raises(KeyError):
        limits.remove("perRPC/shown")


async def test_a_limit_of_the_same_name_takes_the_others_place() -> None:
    told: list[tuple[str, int]] = []
    limits = AdaptiveLimits(None, MEMORY)
    limits.add("x", 10, 1, 20, lambda value: told.append(("former", value)))
    limits.add("x", 3, 1, 4, lambda value: told.append(("new", value)))
    limits.calibrate()

    assert told == [("former", 10), ("new", 3), ("new", 4)]


async def test_calibration_is_logged() -> None:
    source = Source()
    limits = AdaptiveLimits(source, MEMORY)
    limits.add("x", 10, 1, 20, nothing)
    with capture_logs() as logs:
        await after(limits, source, [False, True])

    assert logs == [
        {
            "event": "Additive increase",
            "log_level": "debug",
            "limit_rpc": "x",
            "previous_limit": 10,
            "new_limit": 11,
        },
        {
            "event": "Multiplicative decrease",
            "log_level": "info",
            "limit_rpc": "x",
            "previous_limit": 11,
            "new_limit": 5,
            "condition": "CgroupMemory",
            "reason": "condition_memory_oom",
            "stats.under_oom": True,
        },
    ]


async def test_without_a_source_of_loads_limits_grow() -> None:
    limits = AdaptiveLimits(None, MEMORY)
    limits.add("x", 1, 1, 3, nothing)
    for _ in range(5):
        await limits.poll()
        limits.calibrate()

    assert limits.current() == {"x": 3}


async def test_without_limits_the_load_is_not_looked_at() -> None:
    source = Source()
    await AdaptiveLimits(source, MEMORY).poll()

    assert source.reads == 0


@pytest.mark.parametrize("error", [FileNotFoundError(2, "gone"), ValueError("no number")])
async def test_a_load_that_cannot_be_read_is_no_reason_to_shrink(error: Exception) -> None:
    def fail() -> Load:
        raise error

    limits = AdaptiveLimits(fail, MEMORY)
    limits.add("x", 10, 1, 20, nothing)
    with capture_logs() as logs:
        await limits.poll()
    limits.calibrate()

    assert [(each["event"], each["log_level"], each["error"]) for each in logs] == [
        ("load not read", "warning", str(error))
    ]
    assert limits.current() == {"x": 11}


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.001)


async def test_a_load_that_takes_too_long_counts_for_the_next_poll_only() -> None:
    clock, finish, reads = FakeClock(), threading.Event(), 0

    def slow() -> Load:
        nonlocal reads
        reads += 1
        finish.wait(30)
        return Load("g", 0, under_oom=True)

    limits = AdaptiveLimits(slow, MEMORY, clock=clock)
    limits.add("x", 10, 1, 20, nothing)
    with capture_logs() as logs:
        for _ in range(2):
            poll = asyncio.create_task(limits.poll())
            while not reads:  # a thread begins when it may
                await asyncio.sleep(0.01)
            await settle()
            clock.advance(3)
            await poll
    limits.calibrate()

    assert [(each["event"], each["log_level"]) for each in logs if each["log_level"] == "warning"] == [
        ("load not read in time", "warning"),
        ("load not read in time", "warning"),
    ]
    assert (limits.current(), reads) == ({"x": 11}, 1)
    finish.set()
    await limits.poll()
    limits.calibrate()
    assert (limits.current(), reads, clock.timers) == ({"x": 5}, 1, 0)


@asynccontextmanager
async def running(limits: AdaptiveLimits) -> AsyncIterator[None]:
    limits.start()
    await settle()
    try:
        yield
    finally:
        await limits.stop()


async def test_the_timers_poll_every_ten_and_calibrate_every_thirty_seconds() -> None:
    clock, source = FakeClock(), Source()
    limits = AdaptiveLimits(source, MEMORY, clock=clock)
    limits.add("x", 10, 1, 20, nothing)
    async with running(limits):
        for polls, until_calibration in ((1, 20), (2, 10)):
            clock.advance(9)
            await settle()
            assert source.reads == polls - 1
            clock.advance(1)
            await until(lambda seconds=until_calibration: clock.pending == [10, seconds])
            assert (source.reads, limits.current()) == (polls, {"x": 10})
        clock.advance(10)
        await until(lambda: clock.pending == [10, 30])
        assert (source.reads, limits.current()) == (3, {"x": 11})
    clock.advance(100)
    await settle()

    assert (source.reads, clock.timers) == (3, 0)


class Broken:
    """A condition that fails."""

    name = "Broken"

    def check(self, load: Load) -> Event | None:
        raise ZeroDivisionError(load)


async def test_a_failing_condition_does_not_end_the_timers() -> None:
    clock, source = FakeClock(), Source()
    conditions: list[Condition] = [CgroupCpu(0.5), Broken()]
    limits = AdaptiveLimits(source, conditions, clock=clock)
    limits.add("x", 10, 1, 20, nothing)
    with capture_logs() as logs:
        async with running(limits):
            for until_calibration in (20, 10):
                clock.advance(10)
                await until(lambda seconds=until_calibration: clock.pending == [10, seconds])
    limits.calibrate()

    assert [each["task"] for each in logs if each["event"] == "background task failed"] == ["load poll"] * 2
    assert limits.current() == {"x": 11}


bounds = st.integers(-5, 300)


@given(bounds, bounds, bounds, st.lists(st.booleans(), max_size=40))
async def test_a_limit_never_leaves_its_bounds(
    initial: int, minimum: int, maximum: int, course: list[bool]
) -> None:
    source = Source()
    limits = AdaptiveLimits(source, MEMORY)
    told: list[int] = []
    limits.add("x", initial, minimum, maximum, told.append)
    first = limits.current()["x"]
    values = [first, *await after(limits, source, course)]
    limits.remove("x")

    lowest = max(minimum, 1)
    assert all(lowest <= value <= max(maximum, lowest) for value in values)
    for short, before, now in zip(course, values, values[1:], strict=False):
        assert (now <= before) if short else (before <= now <= before + 1)
    assert told[0] == first
    assert told[-1] == values[-1]
    assert all(before != now for before, now in itertools.pairwise(told))


@given(st.integers(1, 1000), st.integers(0, 1000))
async def test_overload_that_lasts_brings_a_limit_down_to_its_minimum(minimum: int, more: int) -> None:
    source = Source()
    limits = AdaptiveLimits(source, MEMORY)
    limits.add("x", minimum + more, minimum, minimum + more, nothing)
    values = await after(limits, source, [True] * 10)
    limits.remove("x")

    assert values[-1] == minimum


async def test_other_conditions_count_from_the_next_look_on() -> None:
    source = Source()
    limits = AdaptiveLimits(source, [])
    limits.add("x", 8, 1, 10, nothing)
    assert await after(limits, source, [True]) == [9]

    limits.watch(MEMORY)

    assert await after(limits, source, [True]) == [4]
    limits.remove("x")
