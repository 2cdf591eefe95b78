from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar
from typing import Any

import pytest

from gitaly_py.telemetry.begun import begin

variable: ContextVar[str] = ContextVar("variable", default="unset")


def begun(coro: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    return begin(coro, asyncio.get_running_loop())


async def until_cancelled(ended: list[str], waiting: asyncio.Future[None]) -> None:
    try:
        await waiting
    except asyncio.CancelledError:
        await asyncio.sleep(0)
        ended.append("cancelled")
        raise


async def test_coroutine_that_never_waits_ends_at_once_and_is_no_task() -> None:
    done: list[bool] = []

    async def work() -> None:
        done.append(True)

    tasks = asyncio.all_tasks()

    assert begun(work()) is None
    assert done
    assert asyncio.all_tasks() == tasks


async def test_coroutine_goes_on_as_a_task_with_what_it_waited_for() -> None:
    waiting: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    found: list[str] = []

    async def work() -> None:
        found.append(await waiting)
        await asyncio.sleep(0)
        found.append("end")

    task = begun(work())
    assert task is not None
    waiting.set_result("result")
    await task

    assert found == ["result", "end"]


async def test_error_of_what_it_waited_for_comes_where_it_waits() -> None:
    waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def work() -> None:
        with pytest.raises(LookupError):
            await waiting

    task = begun(work())
    assert task is not None
    waiting.set_exception(LookupError())
    await task


async def test_error_before_the_first_wait_passes() -> None:
    async def work() -> None:
        raise LookupError

    current = asyncio.current_task()
    with pytest.raises(LookupError):
        begun(work())
    assert asyncio.current_task() is current


@pytest.mark.parametrize("turns", [0, 1, 2])
async def test_cancellation_ends_what_is_waited_for_and_then_the_coroutine(turns: int) -> None:
    """turns: of the event loop before it; with none the task has not had its first."""
    waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    ended: list[str] = []
    task = begun(until_cancelled(ended, waiting))
    assert task is not None
    for _ in range(turns):
        await asyncio.sleep(0)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert (ended, waiting.cancelled(), task.cancelled()) == (["cancelled"], True, True)


async def test_cancellation_reaches_a_coroutine_whose_wait_is_over_already() -> None:
    waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    ended: list[str] = []
    task = begun(until_cancelled(ended, waiting))
    assert task is not None
    waiting.set_result(None)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["cancelled"]


async def test_coroutine_that_only_gives_up_its_turn_is_cancelled_there() -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        raise AssertionError

    task = begun(work())
    assert task is not None
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_context_variables_stay_within_the_coroutine() -> None:
    seen: list[str] = []

    async def work(value: str) -> None:
        seen.append(variable.get())
        variable.set(value)
        await asyncio.sleep(0)
        seen.append(variable.get())

    tasks = [begun(work("first")), begun(work("second"))]
    assert variable.get() == "unset"
    for task in tasks:
        assert task is not None
        await task

    assert seen == ["unset", "unset", "first", "second"]


async def test_time_out_that_began_before_the_first_wait_ends_it() -> None:
    ended: list[str] = []

    async def work() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        ended.append("timed out")

    task = begun(work())
    assert task is not None
    await task

    assert (ended, task.cancelling()) == (["timed out"], 0)


async def test_task_group_that_began_before_the_first_wait_ends_with_its_failure() -> None:
    async def fail() -> None:
        raise LookupError

    async def wait_beside() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            await asyncio.Event().wait()

    async def work() -> None:
        with pytest.raises(ExceptionGroup):
            await wait_beside()

    task = begun(work())
    assert task is not None
    await task

    assert task.cancelling() == 0


async def test_coroutine_that_cancels_itself_before_it_waits_is_cancelled_where_it_waits() -> None:
    waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    ended: list[str] = []

    async def work() -> None:
        current = asyncio.current_task()
        assert current is not None
        current.cancel()
        assert current.cancelling() == 1
        await until_cancelled(ended, waiting)

    task = begun(work())
    assert task is not None
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["cancelled"]


async def test_coroutine_is_begun_outside_of_any_task() -> None:
    loop = asyncio.get_running_loop()
    began: asyncio.Future[asyncio.Task[None] | None] = loop.create_future()
    seen: list[object] = []

    async def work() -> None:
        seen.append(asyncio.current_task())
        await asyncio.sleep(0)
        seen.append(asyncio.current_task())

    loop.call_soon(lambda: began.set_result(begin(work(), loop)))
    task = await began
    assert task is not None
    await task

    assert seen[0] is not None
    assert seen[1] is task
