"""Long pieces of work in the event loop, one in each of its rounds.

A stream whose output is there already has a few milliseconds of work at a time. With several of them ready
in one round, whoever has just called would wait for all; so each asks for a turn before a piece of work, and
between two turns the loop looks for what has come.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final
from weakref import WeakKeyDictionary

_CROWDED_SECONDS: Final = 0.02
"""How long several streams count as being under way after one had to wait for another."""


class Turns:
    """The turns of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._taken = False
        self._last = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._crowded_until = 0.0

    async def take(self) -> bool:
        """Waits until the turn is the caller's; who came first has it first. Whether there are others."""
        now, last, self._last = self._loop.time(), self._last, id(asyncio.current_task(self._loop))
        if self._taken and self._last != last:
            self._crowded_until = now + _CROWDED_SECONDS
        crowded = now < self._crowded_until
        if not self._taken:
            self._taken = True
            self._loop.call_soon(self._over)
            if not crowded:
                return False
        # Among others, what the caller has done in this round was a piece already: what woke it was no turn.
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(waiter)
        await waiter
        return crowded

    def _over(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                # Behind the one that is woken now.
                self._loop.call_soon(self._over)
                return
        self._taken = False


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, Turns] = WeakKeyDictionary()


async def turn() -> bool:
    """Waits for the next turn of the running loop: to be called before each piece of work of milliseconds.

    Whether there are others, so that pieces should be small.
    """
    loop = asyncio.get_running_loop()
    turns = _turns.get(loop)
    if turns is None:
        turns = _turns[loop] = Turns(loop)
    return await turns.take()
