"""Limiters in made-up time do what they do in real time (daemon.md 5.1)."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.config import Duration
from gitaly_py.config.limits import Limit
from gitaly_py.limits.errors import LimitReached
from gitaly_py.limits.making import Limiters
from gitaly_py.limits.monitor import SILENT
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


class RealRun:
    """Callers of a limiter on the event loop of the test; what came of them, and when.

    arrivals, ends: moments by the number of a caller. at_once: numbers of those that found room.
    in_turn: of those that had to wait for it, in the order of their turns. refused: how many, by reason.
    """

    def __init__(self, limits: Limit) -> None:
        real = Limiters().make("l", limits, SILENT)
        assert real is not None
        self._limiter = real
        self._began = asyncio.get_running_loop().time()
        self.arrivals: dict[int, float] = {}
        self.ends: dict[int, float] = {}
        self.at_once: set[int] = set()
        self.in_turn: list[int] = []
        self.refused: Counter[str] = Counter()

    def _now(self) -> float:
        return asyncio.get_running_loop().time() - self._began

    async def call(self, number: int, arrival: float, service: float) -> None:
        await asyncio.sleep(arrival - self._now())
        self.arrivals[number] = self._now()
        statistics = self._limiter.statistics()
        try:
            slot = await self._limiter.acquire(KEY)
        except LimitReached as error:
            self.refused[error.reason] += 1
            return
        if statistics.running < statistics.limit:
            self.at_once.add(number)
        else:
            self.in_turn.append(number)
        await asyncio.sleep(service)
        self.ends[number] = self._now()
        slot.release()

    def demand(self) -> list[Demand]:
        """The same once more: who came and left when they did, however late the machine was.

        Behind the limiter each caller has a gate of its own, which shows its turn.
        """
        return [
            Demand(arrival, [(NAME, KEY), (str(number), "")], inf, self.ends.get(number, inf) - arrival)
            for number, arrival in sorted(self.arrivals.items(), key=lambda item: item[1])
        ]


async def compared(limits: Limit, planned: Iterable[tuple[int, float, float]]) -> RealRun:
    """Callers in real time, of whom the simulation has to tell the same."""
    run = RealRun(limits)
    await asyncio.gather(*(run.call(*caller) for caller in planned))

    board = await simulated(limits, run.demand())

    grants = [int(name) for name in board.limiters if name != NAME]
    assert set(grants) == run.at_once | set(run.in_turn)
    # When a caller goes on that had to wait depends on the loop, but not who is next among those.
    assert [number for number in grants if number not in run.at_once] == run.in_turn
    assert board.limiters[NAME].total.refused == run.refused
    return run


@pytest.mark.parametrize("seed", range(4))
async def test_who_gets_a_slot_in_which_order_and_who_is_refused_is_the_same_as_in_real_time(
    seed: int,
) -> None:
    run = await compared(limit(2, 5), scenario(seed))

    assert len(run.at_once) + len(run.in_turn) + run.refused["max_size"] == 80
    assert run.refused["max_size"] > 0
    assert run.in_turn != sorted(run.in_turn)


def scenario(seed: int) -> Iterator[tuple[int, float, float]]:
    source, arrival = random.Random(seed), 0.0
    for number in range(80):
        arrival += source.uniform(0, 0.01)
        yield number, arrival, source.uniform(0.005, 0.03)


async def test_who_waits_too_long_is_refused_as_in_real_time() -> None:
    run = await compared(limit(1, 0, "600ms"), [(0, 0, 2), (1, 0.3, 1), (2, 0.6, 1), (3, 1.7, 0.2)])

    assert (run.at_once, run.in_turn, run.refused) == ({0}, [3], {"max_time": 2})


def test_waits_are_exact_and_the_newest_waiter_goes_first() -> None:
    total = simulate(limit(1), [demand(0, 10), demand(1, 5), demand(2, 1)]).limiters[NAME].total

    # The third waits for the first, and the second for both.
    assert (total.waits.greatest, total.waits.sum) == (10, 18)
    assert (total.delayed, total.peak_running, total.peak_waiting) == (2, 1, 2)


def test_a_call_that_leaves_makes_room_for_one_that_comes_at_the_same_moment() -> None:
    total = simulate(limit(1, 1), [demand(number / 10, 0.1) for number in range(1000)]).limiters[NAME].total

    assert (total.refusals, total.waits.greatest, total.calls) == (0, 0, 1000)


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
