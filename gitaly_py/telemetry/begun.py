"""Coroutines that begin at once, and become tasks only if they wait.

A task gets its first turn when the event loop has been round, with all that is due in between, which costs a
short call more than its own work. Python 3.12 calls what is here an eager task.
"""

from __future__ import annotations

import asyncio

# What asyncio offers to implementations of tasks has these names (docs.python.org, Extending asyncio).
from asyncio import _enter_task as enter_task
from asyncio import _leave_task as leave_task
from collections.abc import Coroutine, Generator
from contextvars import copy_context
from typing import Any, Protocol

Step = Any
"""What a coroutine gives to its task: a future to wait for, or None for a turn of the loop."""


class Current(Protocol):
    """What time-outs and task groups ask of the task they are in."""

    def done(self) -> bool: ...

    def cancel(self, msg: Any = None) -> bool: ...

    def cancelling(self) -> int: ...

    def uncancel(self) -> int: ...


def begin(coro: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> asyncio.Task[None] | None:
    """Runs `coro` until it waits: the task that goes on from there, None when it has ended.

    It has a context of its own, and for time-outs and task groups a current task throughout. What it raises
    before it waits passes. Call it from the event loop, within another task if need be.
    """
    context = copy_context()
    stand_in = _StandIn()
    outer = asyncio.current_task(loop)
    if outer is not None:
        leave_task(loop, outer)
    enter_task(loop, stand_in)  # type: ignore[arg-type]
    try:
        step = context.run(coro.send, None)
    except StopIteration:
        return None
    finally:
        leave_task(loop, stand_in)  # type: ignore[arg-type]
        if outer is not None:
            enter_task(loop, outer)
    task = loop.create_task(_Begun(coro, step), context=context)
    stand_in.hand_over(task)
    return task


class _StandIn:
    """The current task of a coroutine that has none yet; whoever keeps it reaches the task behind it."""

    __slots__ = ("_cancellations", "_task")

    def __init__(self) -> None:
        self._task: Current | None = None
        self._cancellations = 0

    def done(self) -> bool:
        return self._task is not None and self._task.done()

    def cancel(self, msg: Any = None) -> bool:
        if self._task is not None:
            return self._task.cancel(msg)
        self._cancellations += 1
        return True

    def cancelling(self) -> int:
        return self._cancellations if self._task is None else self._task.cancelling()

    def uncancel(self) -> int:
        if self._task is not None:
            return self._task.uncancel()
        self._cancellations = max(self._cancellations - 1, 0)
        return self._cancellations

    def hand_over(self, task: Current) -> None:
        for _ in range(self._cancellations):
            task.cancel()
        self._task = task


class _Begun(Coroutine[Any, Any, None]):
    """A coroutine that waits for `step`, from there on."""

    __slots__ = ("_coro", "_step")

    def __init__(self, coro: Coroutine[Any, Any, None], step: Step) -> None:
        self._coro = coro
        self._step = step

    def send(self, value: Any) -> Step:
        if self._step is None:
            return self._coro.send(value)
        step, self._step = self._step, None
        return step

    def throw(self, *error: Any) -> Step:
        step, self._step = self._step, None
        # Cancelled before the task's first turn: what is waited for is cancelled, as by any task.
        if step is not None and isinstance(error[0], asyncio.CancelledError) and step.cancel():
            return step
        return self._coro.throw(*error)

    def close(self) -> None:
        self._coro.close()

    def __await__(self) -> Generator[Any, Any, None]:
        raise TypeError("only a task goes on with a coroutine that has begun")
