from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from contextlib import aclosing

import pytest

from gitaly_py.storage.threads import from_thread, to_the_end


async def test_the_result_and_the_error_come_through() -> None:
    assert await to_the_end(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await to_the_end(divmod, 1, 0)


async def test_a_cancelled_caller_waits_for_the_end() -> None:
    started, go = threading.Event(), threading.Event()
    done: list[str] = []

    def work() -> None:
        started.set()
        assert go.wait(10)
        done.append("work")

    async def caller() -> None:
        try:
            await to_the_end(work)
        finally:
            done.append("clean-up")

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(caller())
        await asyncio.to_thread(started.wait)
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0)
            assert not task.done()
        go.set()

    assert task.cancelled()
    assert done == ["work", "clean-up"]


async def test_what_a_thread_makes_comes_in_portions() -> None:
    threads: set[int] = set()

    def pieces() -> Generator[bytes, None, None]:
        for number in range(10):
            threads.add(threading.get_ident())
            yield b"%d" % number * 100

    portions = [portion async for portion in from_thread(pieces(), 250)]

    assert [len(portion) for portion in portions] == [300, 300, 300, 100]
    assert b"".join(portions) == b"".join(pieces())
    assert threads > {threading.get_ident()}


async def test_whoever_stops_reading_ends_what_the_thread_makes() -> None:
    ended: list[str] = []

    def pieces() -> Generator[bytes, None, None]:
        try:
            while True:
                yield b"a"
        finally:
            ended.append("pieces")

    async with aclosing(from_thread(pieces(), 1)) as portions:
        assert await anext(portions) == b"a"

    assert ended == ["pieces"]


async def test_an_error_of_the_thread_comes_after_what_it_made_before() -> None:
    def pieces() -> Generator[bytes, None, None]:
        yield b"a"
        raise ZeroDivisionError

    portions = from_thread(pieces(), 1)

    assert await anext(portions) == b"a"
    with pytest.raises(ZeroDivisionError):
        await anext(portions)
