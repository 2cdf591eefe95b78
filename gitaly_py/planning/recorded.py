"""What limiters did as the log has it, counted like what they do in a simulation."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from math import inf

from gitaly_py.limits.simulation.loop import moment
from gitaly_py.limits.simulation.simulator import Gate
from gitaly_py.limits.simulation.tally import Board
from gitaly_py.planning.requests import Request


@dataclass(slots=True, eq=False)
class _Stay:
    """A call at a limiter. running: holders when it got its slot, 0 if nobody says."""

    gate: Gate
    wait: float
    end: float
    reason: str = ""
    running: int = 0
    is_over: bool = False


class Recorded:
    """Follows calls, given by arrival, through limiters as it was. board: what they went through.

    Logs have moments to the millisecond, and calls end a little after they gave their slot back. So what one
    call says about the others counts for more: whoever has to be gone by then has gone.
    """

    def __init__(self) -> None:
        self.board = Board()
        self._now = 0.0
        self._order = count()
        self._events: list[tuple[float, int, Callable[[_Stay], None], _Stay]] = []
        self._holders: defaultdict[Gate, list[tuple[float, int, _Stay]]] = defaultdict(list)

    def follow(self, request: Request, arrival: float, gates: Sequence[Gate]) -> None:
        """A call comes, `arrival` seconds after the beginning."""
        self._reach(arrival)
        end = moment(arrival + request.wait + (0.0 if request.reason else request.service))
        # The log has the wait for one limiter only, the last one that was met.
        turn = len(gates) - 1 if request.by_packs else 0
        for index, gate in enumerate(gates):
            if index < turn:
                self._arrive(_Stay(gate, 0.0, end))
            elif index == turn:
                self._arrive(_Stay(gate, request.wait, end, request.reason, request.running))
            elif not request.reason:
                self._at(moment(arrival + request.wait), self._arrive, _Stay(gate, 0.0, end))

    def finish(self) -> None:
        """No more calls come; those that are there go."""
        self._reach(inf)
        self.board.settle(self._now)

    def _arrive(self, stay: _Stay) -> None:
        name, key = stay.gate
        self.board.of(name).arrived(key)
        self._at(moment(self._now + stay.wait), self._drop if stay.reason else self._enter, stay)

    def _drop(self, stay: _Stay) -> None:
        name, key = stay.gate
        self.board.of(name).dropped(key, self._now, stay.wait, stay.reason)

    def _enter(self, stay: _Stay) -> None:
        name, key = stay.gate
        tally = self.board.of(name)
        tally.entered(key, stay.wait)
        holders = self._holders[stay.gate]
        while stay.running and tally.keys[key].running > stay.running:
            self._exit(heapq.heappop(holders)[-1])
        heapq.heappush(holders, (stay.end, next(self._order), stay))
        self._at(stay.end, self._exit, stay)

    def _exit(self, stay: _Stay) -> None:
        if stay.is_over:
            return
        stay.is_over = True
        name, key = stay.gate
        self.board.of(name).exited(key)
        holders = self._holders[stay.gate]
        while holders and holders[0][-1].is_over:
            heapq.heappop(holders)

    def _at(self, due: float, action: Callable[[_Stay], None], stay: _Stay) -> None:
        """Does it when it is due, or now if that is past."""
        if due <= self._now:
            action(stay)
        else:
            heapq.heappush(self._events, (due, next(self._order), action, stay))

    def _reach(self, then: float) -> None:
        """Lets happen what is due by `then`."""
        while self._events and self._events[0][0] <= then:
            due, _, action, stay = heapq.heappop(self._events)
            self._move(due)
            action(stay)
        if then < inf:
            self._move(then)

    def _move(self, then: float) -> None:
        if then > self._now:
            self.board.settle(self._now)
            self._now = then
