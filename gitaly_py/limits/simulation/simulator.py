"""Sends demand through real limiters, in time that is made up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any, TypeAlias

from gitaly_py.config.limits import Limit
from gitaly_py.limits.errors import LimitReached
from gitaly_py.limits.limiter import Slot
from gitaly_py.limits.making import Acquirable, Limiters
from gitaly_py.limits.monitor import OTHER, SILENT
from gitaly_py.limits.simulation.loop import VirtualClock, VirtualLoop, moment
from gitaly_py.limits.simulation.tally import Board, LimiterTally

Gate: TypeAlias = tuple[str, str]
"""The name of a limiter, and a key of it."""


@dataclass(frozen=True, slots=True)
class Demand:
    """A caller. arrival: seconds since the beginning, not before that of the caller ahead of it.

    gates: whose slots it needs, in this order. service: seconds that it holds them once it has them all.
    patience: seconds after its arrival at which it gives up, whether it waits or runs.
    """

    arrival: float
    gates: Sequence[Gate]
    service: float
    patience: float = inf


class Simulator:
    """Limiters, and what came of the demand that they were given.

    limits: the settings of each limiter by its name; one that is not there, or sets no limit, admits all.
    board: what callers went through.
    """

    def __init__(self, limits: Mapping[str, Limit]) -> None:
        self.board = Board()
        self._loop = VirtualLoop(self.board.settle)
        self._loop.set_exception_handler(self._failed)
        clock = VirtualClock(self._loop)
        limiters = Limiters(clock=clock)
        made = {name: limiters.make(name, settings, SILENT) for name, settings in limits.items()}
        self._limiters: dict[str, Acquirable] = {
            name: each for name, each in made.items() if each is not None
        }
        self._callers: set[asyncio.Task[None]] = set()
        self._holders = 0
        self._changed: asyncio.Future[None] = self._loop.create_future()

    def run(self, demand: Iterator[Demand]) -> None:
        """Lets time pass until every caller has gone; to be called once, outside of any other event loop."""
        try:
            self._loop.run_until_complete(self._serve(demand))
            self.board.settle(self._loop.time())
        finally:
            self._loop.close()

    async def _serve(self, demand: Iterator[Demand]) -> None:
        for each in demand:
            if each.arrival > self._loop.time():
                await self._until(moment(each.arrival))
            task = self._loop.create_task(self._go_through(each))
            self._callers.add(task)
            task.add_done_callback(self._gone)
        while self._callers or self._holders:
            await self._changed
            self._changed = self._loop.create_future()

    async def _until(self, due: float) -> None:
        """Returns once everything else that is due by then has happened: who leaves makes room first."""
        reached = self._loop.create_future()
        self._loop.call_at(due, reached.set_result, None)
        await reached

    async def _go_through(self, demand: Demand) -> None:
        end = moment(demand.arrival + demand.patience)
        impatience = None
        if end < inf:
            impatience = self._loop.call_at(end, _current().cancel)
        held: list[Callable[[], None]] = []
        try:
            for name, key in demand.gates:
                held.append(await self._slot(name, key))
        except (LimitReached, asyncio.CancelledError):
            _leave(held)
            return
        finally:
            if impatience is not None:
                impatience.cancel()
        self._holders += 1
        self._loop.call_at(min(moment(self._loop.time() + demand.service), end), self._finish, held)

    async def _slot(self, name: str, key: str) -> Callable[[], None]:
        """What gives back the slot of `key` that this waited for. Raises LimitReached."""
        tally = self.board.of(name)
        limits = self._limiters.get(name)
        began = self._loop.time()
        tally.arrived(key)
        slot = None
        try:
            if limits is not None:
                slot = await limits.acquire(key)
        except (LimitReached, asyncio.CancelledError) as error:
            now = self._loop.time()
            reason = error.reason if isinstance(error, LimitReached) else OTHER
            tally.dropped(key, now, moment(now - began), reason)
            raise
        tally.entered(key, moment(self._loop.time() - began))
        return partial(_give_back, tally, key, slot)

    def _finish(self, held: Sequence[Callable[[], None]]) -> None:
        _leave(held)
        self._holders -= 1
        self._wake()

    def _gone(self, task: asyncio.Task[None]) -> None:
        self._callers.discard(task)
        error = task.exception()
        if error is not None and not self._changed.done():
            self._changed.set_exception(error)
        self._wake()

    def _failed(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Something is wrong with the simulation itself: `run` shall say so."""
        if not self._changed.done():
            self._changed.set_exception(context.get("exception") or RuntimeError(context["message"]))

    def _wake(self) -> None:
        if not (self._callers or self._holders or self._changed.done()):
            self._changed.set_result(None)


def _current() -> asyncio.Task[None]:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("not in a task")
    return task


def _give_back(tally: LimiterTally, key: str, slot: Slot | None) -> None:
    tally.exited(key)
    if slot is not None:
        slot.release()


def _leave(held: Sequence[Callable[[], None]]) -> None:
    """The innermost first."""
    for give_back in reversed(held):
        give_back()
