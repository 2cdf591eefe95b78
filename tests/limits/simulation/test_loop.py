from __future__ import annotations

import asyncio

import pytest

from gitaly_py.limits.simulation.loop import VirtualClock, VirtualLoop


def test_time_passes_without_waiting_and_in_order() -> None:
    over: list[float] = []
    loop = VirtualLoop(over.append)
    happened: list[tuple[str, float]] = []

    async def sleep() -> None:
        VirtualClock(loop).call_later(40 * 86400, lambda: happened.append(("timer", loop.time())))
        await asyncio.sleep(100 * 86400)
        happened.append(("sleeper", loop.time()))

    loop.run_until_complete(sleep())
    loop.close()

    assert happened == [("timer", 40 * 86400), ("sleeper", 100 * 86400)]
    assert over == sorted(set(over))


def test_what_could_never_end_is_an_error() -> None:
    loop = VirtualLoop(lambda _: None)
    never = loop.create_future()

    with pytest.raises(RuntimeError, match="nothing is left"):
        loop.run_until_complete(never)
    loop.close()
