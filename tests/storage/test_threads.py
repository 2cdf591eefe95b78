from __future__ import annotations

import asyncio
import threading

import pytest

from gitaly_py.storage.threads import to_the_end


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
