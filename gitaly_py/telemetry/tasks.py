"""Background tasks that have a name and an owner."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

T = TypeVar("T")

_log = structlog.get_logger("gitaly")


def spawn(coro: Coroutine[Any, Any, T], *, name: str, owner: set[asyncio.Task[Any]]) -> asyncio.Task[T]:
    """Runs `coro` as a task that `owner` keeps alive until it ends.

    An error nobody awaits is logged when the task ends, so that a background task never fails in silence.
    """
    task = asyncio.get_running_loop().create_task(coro, name=name)
    owner.add(task)
    task.add_done_callback(owner.discard)
    task.add_done_callback(_report)
    return task


async def end_all(owner: set[asyncio.Task[Any]]) -> None:
    """Cancels every task of `owner` and waits until all of them have ended."""
    tasks = list(owner)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _report(task: asyncio.Task[Any]) -> None:
    if task.cancelled():
        return
    error = task.exception()
    if error is not None:
        _log.error("background task failed", task=task.get_name(), error=str(error), exc_info=error)
