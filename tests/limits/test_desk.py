"""Limiters that several processes share: the desk and its visitors, without processes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from gitaly_py.limits.desk import Desk, Settings, Visitor
from gitaly_py.limits.errors import QueueFull, QueueTimeout
from gitaly_py.limits.limiter import Slot
from gitaly_py.limits.remote import DeskLost, RemoteDesk, RemoteLimiter
from tests.limits.test_limiter import Recorder, settle


class Process:
    """Another process: its end, and the desk's view of it.

    Messages take a turn of the loop; with `quick` those of the desk are there as soon as they are looked for.
    """

    def __init__(self, desk: Desk, *, quick: bool = False) -> None:
        loop = asyncio.get_running_loop()
        self.quick = quick
        self.looks = 0
        self._loop = loop
        self.remote = RemoteDesk(self)
        self._sent: list[Any] = []
        self._answered: list[Any] = []
        self.visitor: Visitor = desk.visitor(self._answer)
        self.told = Recorder()
        self.lives = True

    def limiter(self, name: str = "l") -> RemoteLimiter:
        return self.remote.limiter(name, self.told)

    def _answer(self, answer: Any) -> None:
        if self.quick:
            self._answered.append(answer)
        else:
            self._loop.call_soon(self.remote.receive, answer)

    def die(self) -> None:
        self.lives = False
        self.visitor.close()

    def visit(self, desk: Desk) -> None:
        """Another desk takes the place of the one that was there."""
        self.visitor = desk.visitor(self._answer)
        self.remote.resume(self)

    def send(self, message: Any) -> None:
        """See Connection."""
        if self.quick:
            self._sent.append(message)
        else:
            self._loop.call_soon(self._to_desk, message)

    def post(self, message: Any) -> None:
        """See Connection."""
        self._loop.call_soon(self._to_desk, message)

    def take(self) -> None:
        """See Connection."""
        self.looks += 1
        if self.quick:
            while self._sent:
                self._to_desk(self._sent.pop(0))
            while self._answered:
                self.remote.receive(self._answered.pop(0))

    def _to_desk(self, message: Any) -> None:
        if self.lives:
            self.visitor.receive(message)


@pytest.fixture
def desk() -> Desk:
    made = Desk()
    made.apply({"l": Settings(1, 2, None)})
    return made


@pytest.fixture
def begun() -> Iterator[list[asyncio.Task[Slot]]]:
    tasks: list[asyncio.Task[Slot]] = []
    yield tasks
    for task in tasks:
        task.cancel()


async def arrive() -> None:
    for _ in range(6):
        await settle()


def in_use(desk: Desk) -> tuple[int, int]:
    """Running and waiting callers."""
    keys = [key for state in desk.states() for key in state.keys]
    return sum(key.running for key in keys), sum(key.waiting for key in keys)


async def test_a_slot_is_shared_by_all_processes(desk: Desk, begun: list[asyncio.Task[Slot]]) -> None:
    first, second = Process(desk), Process(desk)
    slot = await first.limiter().acquire("k")
    begun.append(asyncio.create_task(second.limiter().acquire("k")))
    await arrive()
    assert in_use(desk) == (1, 1)

    slot.release()
    other = await begun[0]

    assert in_use(desk) == (1, 0)
    other.release()
    await arrive()
    assert in_use(desk) == (0, 0)
    [state] = desk.states()
    assert (state.name, state.limit, state.max_queue, state.admitted) == ("l", 1, 2, 2)


async def test_callers_are_told_what_a_limiter_of_their_own_would_tell(desk: Desk) -> None:
    process = Process(desk)

    slot = await process.limiter().acquire("k")
    slot.release()

    assert [event[0] for event in process.told.told] == ["queued", "dequeued", "entered", "exited"]
    assert process.told.told[0] == ("queued", "k", 1)


async def test_a_full_queue_refuses(desk: Desk, begun: list[asyncio.Task[Slot]]) -> None:
    process = Process(desk)
    slot = await process.limiter().acquire("k")
    begun += [asyncio.create_task(process.limiter().acquire("k")) for _ in range(2)]
    await arrive()

    with pytest.raises(QueueFull):
        await process.limiter().acquire("k")

    assert process.told.told[-1][0] == "dropped"
    assert process.told.told[-1][-1] == "max_size"
    assert (await process.limiter().acquire("another")) is not None
    assert desk.states()[0].rejected == {"max_size": 1}
    slot.release()


async def test_a_wait_that_is_too_long_is_refused() -> None:
    desk = Desk()
    desk.apply({"l": Settings(1, 5, 0.02)})
    process = Process(desk)
    slot = await process.limiter().acquire("k")

    with pytest.raises(QueueTimeout):
        await process.limiter().acquire("k")

    assert process.told.told[-1][-1] == "max_time"
    slot.release()
    await arrive()
    assert in_use(desk) == (0, 0)


async def test_a_caller_that_gives_up_leaves_its_place(desk: Desk) -> None:
    process = Process(desk)
    slot = await process.limiter().acquire("k")
    waiting = asyncio.create_task(process.limiter().acquire("k"))
    await arrive()

    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await arrive()

    assert in_use(desk) == (1, 0)
    assert process.told.told[-1][-1] == "other" or ("dequeued",) in process.told.told
    slot.release()
    await arrive()
    assert in_use(desk) == (0, 0)


async def test_a_slot_that_comes_too_late_goes_to_the_next(desk: Desk) -> None:
    process = Process(desk)
    slot = await process.limiter().acquire("k")
    waiting = asyncio.create_task(process.limiter().acquire("k"))
    await arrive()
    # Its slot is on the way when it is cancelled.
    slot.release()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await arrive()

    assert in_use(desk) == (0, 0)
    (await process.limiter().acquire("k")).release()


async def test_a_process_that_dies_gives_everything_back(desk: Desk, begun: list[asyncio.Task[Slot]]) -> None:
    dying, living = Process(desk), Process(desk)
    await dying.limiter().acquire("k")
    begun += [
        asyncio.create_task(dying.limiter().acquire("k")),
        asyncio.create_task(living.limiter().acquire("k")),
    ]
    await arrive()
    assert in_use(desk) == (1, 2)

    dying.die()

    slot = await begun[1]
    assert in_use(desk) == (1, 0)
    slot.release()
    await arrive()
    assert in_use(desk) == (0, 0)


async def test_waiting_ends_when_the_desk_is_gone(desk: Desk) -> None:
    process = Process(desk)
    await process.limiter().acquire("k")
    waiting = asyncio.create_task(process.limiter().acquire("k"))
    await arrive()

    process.remote.close()

    with pytest.raises(DeskLost):
        await waiting


async def test_another_desk_goes_on_where_the_former_was(desk: Desk, begun: list[asyncio.Task[Slot]]) -> None:
    process = Process(desk)
    slot = await process.limiter().acquire("k")
    begun += [asyncio.create_task(process.limiter().acquire("k")) for _ in range(3)]
    await arrive()
    assert in_use(desk) == (1, 2)
    with pytest.raises(QueueFull):
        await begun[2]
    begun[0].cancel()
    await arrive()
    other = Desk()
    other.apply({"l": Settings(1, 2, None)})
    told = list(process.told.told)

    process.visit(other)
    await arrive()

    assert in_use(other) == (1, 1)
    # Who waits already has been told so.
    assert process.told.told == told
    slot.release()
    (await begun[1]).release()
    await arrive()
    assert in_use(other) == (0, 0)
    (await process.limiter().acquire("k")).release()


async def test_a_slot_is_known_to_another_desk_before_its_caller_takes_it(desk: Desk) -> None:
    process = Process(desk)
    entering = asyncio.create_task(process.limiter().acquire("k"))
    while in_use(desk) != (1, 0):
        await asyncio.sleep(0)
    # The answer is on its way, the caller has not run.
    await asyncio.sleep(0)
    other = Desk()
    other.apply({"l": Settings(1, 2, None)})

    process.visit(other)
    await arrive()

    assert in_use(other) == (1, 0)
    (await entering).release()
    await arrive()
    assert in_use(other) == (0, 0)


async def test_slots_beyond_a_limit_are_kept(desk: Desk) -> None:
    desk.apply({"l": Settings(2, 0, None)})
    process = Process(desk)
    slots = [await process.limiter().acquire("k") for _ in range(2)]
    other = Desk()
    other.apply({"l": Settings(1, 0, None)})

    process.visit(other)
    await arrive()
    waiting = asyncio.create_task(process.limiter().acquire("k"))
    await arrive()
    assert in_use(other) == (2, 1)

    for slot in slots:
        assert not waiting.done()
        slot.release()
        await arrive()
    (await waiting).release()


async def test_limits_change_for_those_who_wait(desk: Desk, begun: list[asyncio.Task[Slot]]) -> None:
    process = Process(desk)
    await process.limiter().acquire("k")
    begun += [asyncio.create_task(process.limiter().acquire("k")) for _ in range(2)]
    await arrive()
    assert in_use(desk) == (1, 2)

    desk.apply({"l": Settings(2, 2, None), "new": Settings(1, 0, None)})
    await arrive()
    assert in_use(desk) == (2, 1)

    desk.apply({})
    await arrive()
    assert in_use(desk) == (3, 0)


async def test_a_limiter_that_nobody_set_limits_nothing(desk: Desk) -> None:
    process = Process(desk)

    slots = [await process.limiter("unknown").acquire("k") for _ in range(5)]

    for slot in slots:
        slot.release()


async def test_an_answer_that_is_there_already_is_not_waited_for(desk: Desk) -> None:
    process = Process(desk, quick=True)

    slot = process.limiter().request("k")

    assert isinstance(slot, Slot)
    assert [event[0] for event in process.told.told] == ["queued", "dequeued", "entered"]
    assert in_use(desk) == (1, 0)
    slot.release()
    await arrive()
    assert in_use(desk) == (0, 0)


async def test_who_is_queued_at_once_waits(desk: Desk) -> None:
    process = Process(desk, quick=True)
    slot = await process.limiter().acquire("k")
    waiting = asyncio.create_task(process.limiter().acquire("k"))
    await arrive()
    assert in_use(desk) == (1, 1)
    process.quick = False

    slot.release()

    (await waiting).release()
    await arrive()
    assert in_use(desk) == (0, 0)


async def test_who_finds_the_queue_full_at_once_is_refused() -> None:
    desk = Desk()
    desk.apply({"l": Settings(1, 1, None)})
    process = Process(desk, quick=True)
    slot = await process.limiter().acquire("k")
    waiting = asyncio.create_task(process.limiter().acquire("k"))
    await arrive()

    with pytest.raises(QueueFull):
        await process.limiter().acquire("k")

    assert process.told.told[-1][-1] == "max_size"
    process.quick = False
    slot.release()
    (await waiting).release()


async def test_answers_that_are_late_again_and_again_are_looked_for_once() -> None:
    process = Process(Desk())
    for _ in range(20):
        (await process.limiter().acquire("k")).release()
    process.looks = 0

    slot = await process.limiter().acquire("k")

    assert process.looks == 1
    slot.release()
    process.quick = True
    (await process.limiter().acquire("k")).release()
    process.quick = False
    process.looks = 0
    (await process.limiter().acquire("k")).release()
    assert process.looks > 1


async def test_what_kept_answers_may_be_over() -> None:
    process = Process(Desk())
    looks = []
    for _ in range(64):
        process.looks = 0
        (await process.limiter().acquire("k")).release()
        looks.append(process.looks)

    assert looks[0] > 1
    assert looks[31] == 1
    assert looks[32] > 1
