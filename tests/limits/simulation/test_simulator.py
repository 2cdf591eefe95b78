"""Limiters in made-up time do what they do in real time (daemon.md 5.1)."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.config import Duration
from gitaly_py.config.limits import Limit
from gitaly_py.limits.errors import LimitReached
from gitaly_py.limits.limiter import Limiter
from gitaly_py.limits.monitor import SILENT
from gitaly_py.limits.settings import limiter
from gitaly_py.limits.simulation.simulator import Demand, Simulator
from gitaly_py.limits.simulation.tally import Board, Tally

NAME, KEY = "perRPC/x", "k"


def limit(running: int, queue: int = 0, wait: str = "0") -> Limit:
    return Limit(max_concurrency=running, max_queue_size=queue, max_queue_wait=Duration.parse(wait))


def demand(arrival: float, service: float, key: str = KEY, patience: float = inf) -> Demand:
    return Demand(arrival, [(NAME, key)], service, patience)


async def simulated(limits: Limit, callers: Sequence[Demand]) -> Board:
    """In a thread, since this one has an event loop already."""
    simulator = Simulator({NAME: limits})
    await asyncio.to_thread(simulator.run, iter(callers))
    return simulator.board


def simulate(limits: Limit, callers: Sequence[Demand]) -> Board:
    simulator = Simulator({NAME: limits})
    simulator.run(iter(callers))
    return simulator.board


@dataclass
class Caller:
    """One that was there in real time. reason: why it got no slot, empty if it got one."""

    arrival: float
    service: float
    reason: str = ""


class RealRun:
    """Callers of a limiter on the event loop of the test, with the times that it took in the end.

    grants: who got a slot, one after the other. late: the most seconds that anything came too late.
    """

    def __init__(self, limits: Limiter, wait: float) -> None:
        self._limits = limits
        self._wait = wait
        self._began = asyncio.get_running_loop().time()
        self.callers: dict[int, Caller] = {}
        self.grants: list[int] = []
        self.late = 0.0

    def _time(self, due: float) -> float:
        now = asyncio.get_running_loop().time() - self._began
        self.late = max(self.late, now - due)
        return now

    async def call(self, number: int, arrival: float, service: float) -> None:
        await asyncio.sleep(arrival - self._time(inf))
        arrived = self._time(arrival)
        caller = self.callers[number] = Caller(arrived, service)
        try:
            slot = await self._limits.acquire(KEY)
        except LimitReached as error:
            caller.reason = error.reason
            self._time(arrived + (self._wait if error.reason == "max_time" else 0))
            return
        self.grants.append(number)
        granted = self._time(inf)
        await asyncio.sleep(service)
        caller.service = self._time(granted + service) - granted
        slot.release()

    def demand(self) -> list[Demand]:
        """The same once more; behind the limiter each caller has a gate of its own, which shows its turn."""
        by_arrival = sorted(self.callers.items(), key=lambda item: item[1].arrival)
        return [
            Demand(caller.arrival, [(NAME, KEY), (str(number), "")], caller.service)
            for number, caller in by_arrival
        ]


NEAREST = 0.024
"""Seconds between any two events of the scenarios."""


async def undisturbed(seed: int, limits: Limit) -> RealRun:
    """A run on a machine that was in time: otherwise what comes first is a matter of luck."""
    wait = limits.max_queue_wait.seconds
    for _ in range(4):
        real = limiter(limits, SILENT)
        assert real is not None
        run = RealRun(real, wait)
        await asyncio.gather(*(run.call(*planned) for planned in scenario(seed)))
        if run.late < NEAREST / 2:
            return run
    pytest.skip("the machine has too much else to do")


@pytest.mark.parametrize("seed", [62457, 93638])
async def test_who_gets_a_slot_in_which_order_and_who_is_refused_is_the_same_as_in_real_time(
    seed: int,
) -> None:
    limits = limit(2, 3, "480ms")
    run = await undisturbed(seed, limits)

    board = await simulated(limits, run.demand())

    refused = Counter(caller.reason for caller in run.callers.values() if caller.reason)
    assert set(refused) == {"max_size", "max_time"}
    assert board.limiters[NAME].total.refused == refused
    assert [int(name) for name in board.limiters if name != NAME] == run.grants
    assert run.grants != sorted(run.grants)


def scenario(seed: int, count: int = 24, scale: float = 2.4) -> Iterator[tuple[int, float, float]]:
    source, arrival = random.Random(seed), 0.0
    for number in range(count):
        arrival += source.uniform(0.01, 0.09)
        yield number, round(arrival, 3) * scale, round(source.uniform(0.03, 0.35), 3) * scale


def test_waits_are_exact_and_the_newest_waiter_goes_first() -> None:
    total = simulate(limit(1), [demand(0, 10), demand(1, 5), demand(2, 1)]).limiters[NAME].total

    # The third waits for the first, and the second for both.
    assert (total.waits.greatest, total.waits.sum) == (10, 18)
    assert (total.delayed, total.peak_running, total.peak_waiting) == (2, 1, 2)


def test_a_call_that_leaves_makes_room_for_one_that_comes_at_the_same_moment() -> None:
    total = simulate(limit(1, 1), [demand(number / 10, 0.1) for number in range(1000)]).limiters[NAME].total

    assert (total.refusals, total.delayed, total.calls) == (0, 0, 1000)


def test_times_of_refusals_are_told() -> None:
    callers = [demand(0, 10), demand(1, 10), demand(2, 10), demand(3.25, 10)]
    total = simulate(limit(1, 1, "5s"), callers).limiters[NAME].total

    assert total.refused == {"max_size": 2, "max_time": 1}
    assert (total.first_refusal, total.last_refusal) == (2, 6)


def test_who_loses_patience_leaves_the_queue_or_its_slot() -> None:
    callers = [demand(0, 10), demand(1, 10, patience=3), demand(11, 10, patience=2), demand(12, 1)]
    total = simulate(limit(1), callers).limiters[NAME].total

    assert total.refused == {"other": 1}
    assert total.last_refusal == 4
    assert total.waits.greatest == 1


def test_a_caller_holds_all_of_its_slots_until_its_end() -> None:
    simulator = Simulator({"outer": limit(1), "inner": limit(1, 0, "3s")})
    both = [Demand(at, [("outer", key), ("inner", "")], 5) for at, key in ((0, "a"), (1, "b"), (2, "a"))]
    simulator.run(iter(both))

    outer, inner = (simulator.board.limiters[name].total for name in ("outer", "inner"))
    assert (inner.calls, inner.refused) == (3, {"max_time": 1})
    assert (outer.refusals, outer.waits.greatest, inner.waits.sum) == (0, 3, 0)


def test_what_has_no_limit_is_counted_all_the_same() -> None:
    total = simulate(limit(0), [demand(0, 1) for _ in range(50)]).limiters[NAME].total

    assert (total.peak_running, total.delayed, total.refusals) == (50, 0, 0)


def test_an_error_of_who_brings_the_demand_ends_the_simulation() -> None:
    def broken() -> Iterator[Demand]:
        yield demand(0, 1)
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        Simulator({}).run(broken())


moments = st.integers(0, 40).map(lambda tenths: tenths / 10)
demands = st.lists(
    st.builds(demand, moments, moments, st.sampled_from("ab"), st.one_of(st.just(inf), moments)), max_size=40
).map(lambda found: sorted(found, key=lambda each: each.arrival))
limits_of_all_kinds = st.builds(
    limit, st.integers(0, 4), st.integers(0, 4), st.sampled_from(["0", "100ms", "1s"])
)


def tallies(board: Board) -> list[Tally]:
    return [each for limiter in board.limiters.values() for each in (limiter.total, *limiter.keys.values())]


@given(callers=demands, limits=limits_of_all_kinds)
def test_every_caller_gets_a_slot_or_is_refused_and_nobody_stays(
    callers: list[Demand], limits: Limit
) -> None:
    board = simulate(limits, callers)

    assert sum(limiter.total.calls for limiter in board.limiters.values()) == len(callers)
    for tally in tallies(board):
        assert tally.calls == tally.waits.count + tally.refusals
        assert (tally.running, tally.waiting) == (0, 0)


@given(callers=demands, limits=limits_of_all_kinds)
def test_bounds_are_never_exceeded(callers: list[Demand], limits: Limit) -> None:
    board = simulate(limits, callers)

    for limited in board.limiters.values():
        for tally in limited.keys.values():
            if limits.limit:
                assert tally.peak_running <= limits.limit
            if limits.limit and limits.max_queue_size:
                assert tally.peak_waiting <= limits.max_queue_size
            if limits.max_queue_wait:
                assert tally.waits.greatest <= limits.max_queue_wait.seconds
        assert sum(limited.series.refused) == limited.total.refusals
        assert max(limited.series.running) == limited.total.peak_running
        assert max(limited.series.waiting) == limited.total.peak_waiting


@given(callers=demands, running=st.integers(1, 4))
def test_a_queue_without_bounds_refuses_nobody_who_has_patience(callers: list[Demand], running: int) -> None:
    patient = [demand(each.arrival, each.service, each.gates[0][1]) for each in callers]

    assert not any(tally.refusals for tally in tallies(simulate(limit(running), patient)))


@given(callers=demands, limits=limits_of_all_kinds)
def test_nobody_waits_where_there_is_room_for_all(callers: list[Demand], limits: Limit) -> None:
    roomy = limits.model_copy(update={"max_concurrency": max(len(callers), 1)})

    assert not any(tally.delayed or tally.refusals for tally in tallies(simulate(roomy, callers)))


@given(callers=demands, limits=limits_of_all_kinds)
def test_the_same_comes_of_the_same(callers: list[Demand], limits: Limit) -> None:
    assert facts(simulate(limits, callers)) == facts(simulate(limits, callers))


def facts(board: Board) -> list[tuple[Any, ...]]:
    return [
        (each.calls, each.delayed, each.refused, each.waits.sum, each.peak_running, each.peak_waiting)
        for each in tallies(board)
    ]
