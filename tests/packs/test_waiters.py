from __future__ import annotations

import asyncio
from typing import Any

from gitaly_py.packs.waiters import TURN, Waiters


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_everyone_is_called_once_however_many_they_are() -> None:
    waiters = Waiters()
    called: list[int] = []
    for number in range(3 * TURN):
        waiters.put(number, lambda number=number: called.append(number))

    waiters.wake()
    waiters.wake()
    assert called == []
    await turns()
    assert called == list(range(3 * TURN))

    waiters.wake()
    await turns()
    assert len(called) == 3 * TURN


async def test_others_get_their_turn_between_many_calls() -> None:
    waiters = Waiters()
    called: list[int] = []
    for number in range(3 * TURN):
        waiters.put(number, lambda number=number: called.append(number))

    waiters.wake()
    await asyncio.sleep(0)
    assert len(called) == TURN


async def test_who_waits_again_is_called_by_the_next_wake() -> None:
    waiters = Waiters()
    called: list[str] = []

    def again() -> None:
        called.append("again")
        waiters.put("a", again)

    waiters.put("a", again)
    waiters.wake()
    await turns()
    assert called == ["again"]
    waiters.wake()
    await turns()
    assert called == ["again"] * 2


async def test_a_callback_that_is_taken_back_is_not_called() -> None:
    waiters = Waiters()
    called: list[str] = []
    waiters.put("a", lambda: (called.append("a"), waiters.put("b", None))[0])
    waiters.put("b", lambda: called.append("b"))
    waiters.put("c", lambda: called.append("c"))
    waiters.put("c", None)

    waiters.wake()
    await turns()
    assert called == ["a"]


async def test_a_callback_that_fails_keeps_nobody_from_being_called() -> None:
    waiters = Waiters()
    called: list[str] = []
    faults: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: faults.append(context["exception"]))
    try:
        waiters.put("a", lambda: [].remove(1))
        waiters.put("b", lambda: called.append("b"))
        waiters.wake()
        await turns()
    finally:
        loop.set_exception_handler(None)
    assert called == ["b"]
    assert [type(fault) for fault in faults] == [ValueError]
