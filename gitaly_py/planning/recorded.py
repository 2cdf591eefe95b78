"""What limiters did as the log has it, counted like what they do in a simulation."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from gitaly_py.limits.simulation.loop import moment
from gitaly_py.limits.simulation.simulator import Gate
from gitaly_py.limits.simulation.tally import Board, LimiterTally
from gitaly_py.planning.requests import Request


class Recorded:
    """Follows calls, given by arrival, through limiters as it was. board: what they went through."""

    def __init__(self) -> None:
        self.board = Board()
        self._now = 0.0
        self._order = count()
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []

    def follow(self, request: Request, arrival: float, gates: Sequence[Gate]) -> None:
        """A call comes, `arrival` seconds after the beginning."""
        self._reach(arrival)
        end = moment(arrival + request.wait + (0.0 if request.reason else request.service))
        # The log has the wait for one limiter only, the last one that was met.
        turn = len(gates) - 1 if request.by_packs else 0
        for index, (name, key) in enumerate(gates):
            if index > turn and request.reason:
                break
            tally = self.board.of(name)
            if index < turn:
                self._enter(tally, key, 0.0, end)
            elif index == turn:
                self._queue(tally, key, arrival, request, end)
            else:
                self._at(moment(arrival + request.wait), self._enter, tally, key, 0.0, end)

    def finish(self) -> None:
        """No more calls come; those that are there go."""
        self._reach(float("inf"))
        self.board.settle(self._now)

    def _queue(self, tally: LimiterTally, key: str, arrival: float, request: Request, end: float) -> None:
        """The call lines up, as it will until it gets its slot or is refused."""
        tally.arrived(key)
        due = moment(arrival + request.wait)
        if request.reason:
            self._soon(due, tally.dropped, key, due, request.wait, request.reason)
        else:
            self._soon(due, self._entered, tally, key, request.wait, end)

    def _enter(self, tally: LimiterTally, key: str, wait: float, end: float) -> None:
        tally.arrived(key)
        self._entered(tally, key, wait, end)

    def _entered(self, tally: LimiterTally, key: str, wait: float, end: float) -> None:
        tally.entered(key, wait)
        self._soon(end, tally.exited, key)

    def _soon(self, due: float, action: Callable[..., None], *arguments: Any) -> None:
        if due <= self._now:
            action(*arguments)
        else:
            self._at(due, action, *arguments)

    def _at(self, due: float, action: Callable[..., None], *arguments: Any) -> None:
        heapq.heappush(self._events, (due, next(self._order), action, arguments))

    def _reach(self, then: float) -> None:
        """Lets happen what is due by `then`."""
        while self._events and self._events[0][0] <= then:
            due, _, action, arguments = heapq.heappop(self._events)
            self._move(due)
            action(*arguments)
        if then < float("inf"):
            self._move(then)

    def _move(self, then: float) -> None:
        if then > self._now:
            self.board.settle(self._now)
            self._now = then
