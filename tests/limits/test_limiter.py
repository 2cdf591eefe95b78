"""Who gets a slot, who waits, and who is refused (daemon.md 5.1)."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Awaitable, Iterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gitaly_py.limits.errors import LimitReached, QueueFull, QueueTimeout
from gitaly_py.limits.limiter import Limiter, LimiterStatistics, Slot
from gitaly_py.limits.monitor import Monitor
from tests.support.clock import FakeClock


class Recorder(Monitor):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def queued(self, key: str, waiting: int) -> None:
        self.told.append(("queued", key, waiting))

    def dequeued(self) -> None:
        self.told.append(("dequeued",))

    def entered(self, running: int, seconds: float) -> None:
        self.told.append(("entered", running, seconds))

    def exited(self) -> None:
        self.told.append(("exited",))

    def dropped(self, key: str, waiting: int, running: int, seconds: float, reason: str) -> None:
        self.told.append(("dropped", key, waiting, running, seconds, reason))


@pytest.fixture
def waiters() -> Iterator[list[asyncio.Task[Slot]]]:
    """Tasks that a test leaves behind are cancelled."""
    begun: list[asyncio.Task[Slot]] = []
    yield begun
    for task in begun:
        task.cancel()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def waiting(limiter: Limiter, count: int, key: str = "k") -> list[asyncio.Task[Slot]]:
    """Callers that line up one after the other."""
    tasks = []
    for _ in range(count):
        tasks.append(asyncio.create_task(limiter.acquire(key)))
        await settle()
    return tasks


async def ended(*tasks: Awaitable[object]) -> list[object]:
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_as_many_as_the_limit_run_at_once() -> None:
    limiter = Limiter(2)

    slots = [await limiter.acquire("k") for _ in range(2)]
    (third,) = await waiting(limiter, 1)

    assert not third.done()
    assert limiter.statistics() == LimiterStatistics(limit=2, keys=1, running=2, waiting=1)
    slots[0].release()
    (await third).release()
    slots[1].release()
    assert limiter.statistics() == LimiterStatistics(limit=2, keys=0, running=0, waiting=0)


async def test_keys_do_not_wait_for_each_other() -> None:
    limiter = Limiter(1)

    with await limiter.acquire("a"), await limiter.acquire("b"):
        assert limiter.statistics().keys == 2

    assert limiter.statistics().keys == 0


async def test_keys_that_nobody_uses_any_longer_take_no_memory() -> None:
    limiter = Limiter(1)
    (await limiter.acquire("first")).release()

    tracemalloc.start()
    try:
        with await limiter.acquire("busy"):
            for number in range(10_000):
                (await limiter.acquire(f"idle {number}")).release()
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert grown < 10_000


async def test_the_newest_waiter_is_served_first() -> None:
    limiter = Limiter(1)
    slot = await limiter.acquire("k")
    tasks = await waiting(limiter, 3)
    order = []

    for _ in tasks:
        slot.release()
        await settle()
        (served,) = [number for number, task in enumerate(tasks) if task.done() and number not in order]
        order.append(served)
        slot = await tasks[served]

    assert order == [2, 1, 0]


async def test_a_slot_is_given_back_once_however_often_it_is_released() -> None:
    limiter = Limiter(1)
    slot = await limiter.acquire("k")
    slot.release()
    slot.release()

    await limiter.acquire("k")
    (second,) = await waiting(limiter, 1)

    assert not second.done()
    second.cancel()
    await ended(second)


async def test_callers_beyond_limit_and_queue_are_refused_at_once() -> None:
    limiter = Limiter(1, max_queue=2)
    await limiter.acquire("k")
    tasks = await waiting(limiter, 2)

    with pytest.raises(QueueFull, match=r"^maximum queue size reached$"):
        await limiter.acquire("k")

    tasks[0].cancel()
    await ended(tasks[0])
    (third,) = await waiting(limiter, 1)
    assert not third.done()
    for task in (tasks[1], third):
        task.cancel()
    await ended(tasks[1], third)


async def test_no_bound_on_the_queue_lets_everyone_wait() -> None:
    limiter = Limiter(1, max_queue=0)
    await limiter.acquire("k")
    tasks = await waiting(limiter, 50)

    assert limiter.statistics().waiting == 50
    for task in tasks:
        task.cancel()
    await ended(*tasks)


async def test_a_waiter_gives_up_after_the_longest_wait() -> None:
    clock = FakeClock()
    limiter = Limiter(1, max_wait=5, clock=clock)
    slot = await limiter.acquire("k")
    (late,) = await waiting(limiter, 1)

    clock.advance(4.9)
    await settle()
    assert not late.done()
    clock.advance(0.2)

    with pytest.raises(QueueTimeout, match=r"^maximum time in concurrency queue reached$"):
        await late
    slot.release()
    assert limiter.statistics().keys == 0


async def test_a_waiter_that_is_served_has_no_timer_left() -> None:
    clock = FakeClock()
    limiter = Limiter(1, max_wait=5, clock=clock)
    slot = await limiter.acquire("k")
    (second,) = await waiting(limiter, 1)
    assert clock.timers == 1

    slot.release()
    (await second).release()

    assert clock.timers == 0


async def test_a_waiter_served_in_the_moment_its_time_is_up_keeps_the_slot() -> None:
    clock = FakeClock()
    limiter = Limiter(1, max_wait=5, clock=clock)
    slot = await limiter.acquire("k")
    (second,) = await waiting(limiter, 1)

    slot.release()
    clock.advance(5)

    (await second).release()
    assert limiter.statistics().keys == 0


async def test_a_waiter_whose_time_is_up_takes_no_slot_in_the_same_moment() -> None:
    clock = FakeClock()
    limiter = Limiter(1, max_wait=5, clock=clock)
    slot = await limiter.acquire("k")
    (second,) = await waiting(limiter, 1)

    clock.advance(5)
    slot.release()

    with pytest.raises(QueueTimeout):
        await second
    with await limiter.acquire("k"):
        assert limiter.statistics().running == 1


async def test_a_waiter_cancelled_in_the_moment_it_is_served_hands_the_slot_on() -> None:
    limiter = Limiter(1)
    slot = await limiter.acquire("k")
    older, newer = await waiting(limiter, 2)

    slot.release()
    newer.cancel()

    with await older:
        assert newer.cancelled()
    assert limiter.statistics().keys == 0


async def test_a_slot_passes_by_a_waiter_that_was_cancelled_a_moment_before() -> None:
    limiter = Limiter(1)
    slot = await limiter.acquire("k")
    older, newer = await waiting(limiter, 2)

    newer.cancel()
    slot.release()

    with await older:
        assert limiter.statistics() == LimiterStatistics(limit=1, keys=1, running=1, waiting=0)


async def test_the_last_waiter_cancelled_in_the_moment_it_is_served_leaves_a_free_slot() -> None:
    limiter = Limiter(1)
    slot = await limiter.acquire("k")
    (only,) = await waiting(limiter, 1)

    slot.release()
    only.cancel()
    await ended(only)

    assert limiter.statistics().keys == 0
    with await limiter.acquire("k"):
        pass


async def test_a_raised_limit_wakes_waiters_at_once() -> None:
    limiter = Limiter(1)
    await limiter.acquire("k")
    tasks = await waiting(limiter, 3)

    limiter.resize(3)
    await settle()

    assert [task.done() for task in tasks] == [False, True, True]
    tasks[0].cancel()
    await ended(tasks[0])


async def test_a_lowered_limit_interrupts_nobody_and_admits_nobody_above_it() -> None:
    limiter = Limiter(3)
    slots = [await limiter.acquire("k") for _ in range(3)]
    limiter.resize(1)
    (next_one,) = await waiting(limiter, 1)

    for slot in slots[:2]:
        slot.release()
        await settle()
        assert not next_one.done()
    slots[2].release()

    (await next_one).release()


async def test_the_bound_of_the_queue_moves_with_the_limit() -> None:
    limiter = Limiter(1, max_queue=1)
    await limiter.acquire("k")
    (first,) = await waiting(limiter, 1)
    limiter.resize(2)
    await first

    (second,) = await waiting(limiter, 1)
    with pytest.raises(QueueFull):
        await limiter.acquire("k")

    second.cancel()
    await ended(second)


@pytest.mark.parametrize("limit", [0, -1])
async def test_no_limit_admits_everyone(limit: int) -> None:
    limiter = Limiter(limit, max_queue=1)

    for _ in range(10):
        await limiter.acquire("k")

    assert limiter.statistics().running == 10


async def test_a_limit_that_is_lifted_wakes_everyone() -> None:
    limiter = Limiter(1)
    await limiter.acquire("k")
    tasks = await waiting(limiter, 3)

    limiter.resize(0)

    await asyncio.gather(*tasks)


async def test_the_monitor_hears_of_a_caller_that_need_not_wait() -> None:
    monitor = Recorder()
    limiter = Limiter(1, monitor=monitor, clock=FakeClock())

    (await limiter.acquire("k")).release()

    assert monitor.told == [("queued", "k", 1), ("dequeued",), ("entered", 1, 0.0), ("exited",)]


async def test_the_monitor_hears_how_long_a_caller_waited() -> None:
    monitor, clock = Recorder(), FakeClock()
    limiter = Limiter(1, monitor=monitor, clock=clock)
    slot = await limiter.acquire("k")
    (second,) = await waiting(limiter, 1)
    monitor.told.clear()

    clock.advance(3)
    slot.release()
    (await second).release()

    assert monitor.told == [("exited",), ("dequeued",), ("entered", 1, 3.0), ("exited",)]


async def test_the_monitor_hears_why_callers_are_dropped() -> None:
    monitor, clock = Recorder(), FakeClock()
    limiter = Limiter(1, max_queue=2, max_wait=5, monitor=monitor, clock=clock)
    await limiter.acquire("k")
    slow, cancelled = await waiting(limiter, 2)
    monitor.told.clear()

    await ended(limiter.acquire("k"))
    clock.advance(1)
    cancelled.cancel()
    await ended(cancelled)
    clock.advance(4)
    await ended(slow)

    assert monitor.told == [
        ("dropped", "k", 2, 1, 0.0, "max_size"),
        ("dequeued",),
        ("dropped", "k", 1, 1, 1.0, "other"),
        ("dequeued",),
        ("dropped", "k", 0, 1, 5.0, "max_time"),
    ]


class AnyOrder(RuleBasedStateMachine):
    """Callers come, go, are cancelled and time out in any order, several of them in one turn of the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = FakeClock()
        self.limit = 2
        self.max_queue = 3
        self.limiter = Limiter(self.limit, max_queue=self.max_queue, max_wait=10, clock=self.clock)
        self.pending: list[asyncio.Task[Slot]] = []
        self.held: list[Slot] = []
        self.running = 0

    @rule()
    def acquire(self) -> None:
        self.turn()
        callers = len(self.held) + len(self.pending)
        task = self.loop.create_task(self.limiter.acquire("k"))
        self.pending.append(task)
        self.turn()
        refused = task.done() and not task.cancelled() and isinstance(task.exception(), QueueFull)
        assert refused == (callers >= self.limit + self.max_queue)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        self.held.pop(data.draw(st.integers(0, len(self.held) - 1))).release()

    @precondition(lambda self: self.pending)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.pending)).cancel()

    @rule(seconds=st.sampled_from([1, 5, 10]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(limit=st.integers(1, 4))
    def resize(self, limit: int) -> None:
        self.limit = limit
        self.limiter.resize(limit)

    @rule()
    def turn(self) -> None:
        self.loop.run_until_complete(settle())
        for task in [task for task in self.pending if task.done()]:
            self.pending.remove(task)
            if not task.cancelled() and not isinstance(task.exception(), LimitReached):
                self.held.append(task.result())
        found = self.limiter.statistics()
        assert (found.running, found.waiting) == (len(self.held), len(self.pending))

    @invariant()
    def nobody_is_admitted_above_the_limit(self) -> None:
        running = self.limiter.statistics().running
        assert running <= max(self.limit, self.running)
        self.running = running

    @invariant()
    def nobody_waits_while_there_is_room(self) -> None:
        found = self.limiter.statistics()
        assert not found.waiting or found.running >= self.limit

    def teardown(self) -> None:
        for task in self.pending:
            task.cancel()
        for slot in self.held:
            slot.release()
        self.held.clear()
        self.turn()
        for slot in self.held:
            slot.release()
        assert self.limiter.statistics().keys == 0
        assert self.clock.timers == 0
        self.loop.close()


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=40)
