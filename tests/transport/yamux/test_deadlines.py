from __future__ import annotations

import asyncio

from gitaly_py.transport.yamux.deadlines import Deadlines
from gitaly_py.transport.yamux.driver import Driver
from gitaly_py.transport.yamux.stream import Stream
from tests.support.mux import sessions


async def streams(driver: Driver, count: int) -> list[Stream]:
    return [await driver.open() for _ in range(count)]


async def test_those_whose_time_is_not_stopped_expire_in_the_order_of_their_start() -> None:
    async with sessions() as pair:
        first, stopped, last = await streams(pair.server, 3)
        expired: asyncio.Queue[Stream] = asyncio.Queue()
        deadlines = Deadlines(asyncio.get_running_loop(), 0.02, expired.put_nowait)
        deadlines.start(first)
        deadlines.start(stopped)
        deadlines.stop(stopped)
        await asyncio.sleep(0.01)
        deadlines.start(last)
        assert [await expired.get(), await expired.get()] == [first, last]
        assert expired.empty()


async def test_after_a_pause_time_runs_anew() -> None:
    async with sessions() as pair:
        one, other = await streams(pair.server, 2)
        expired: asyncio.Queue[Stream] = asyncio.Queue()
        deadlines = Deadlines(asyncio.get_running_loop(), 0.01, expired.put_nowait)
        deadlines.start(one)
        deadlines.stop(one)
        await asyncio.sleep(0.03)
        deadlines.start(other)
        assert await expired.get() is other


async def test_nothing_expires_once_all_is_cleared() -> None:
    async with sessions() as pair:
        (stream,) = await streams(pair.server, 1)
        expired: list[Stream] = []
        deadlines = Deadlines(asyncio.get_running_loop(), 0.01, expired.append)
        deadlines.start(stream)
        deadlines.clear()
        await asyncio.sleep(0.03)
        assert expired == []
