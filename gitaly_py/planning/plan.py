"""Replays a log against a proposal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gitaly_py.limits.simulation.loop import moment
from gitaly_py.limits.simulation.series import align
from gitaly_py.limits.simulation.simulator import Demand, Simulator
from gitaly_py.limits.simulation.tally import Board, LimiterTally
from gitaly_py.planning.log import Log
from gitaly_py.planning.proposal import Proposal
from gitaly_py.planning.recorded import Recorded


@dataclass(frozen=True)
class Comparison:
    """One limiter as it was and as it would have been; their series have the same intervals."""

    name: str
    recorded: LimiterTally
    simulated: LimiterTally

    @property
    def weight(self) -> tuple[int, float, int]:
        """How much there is to be seen: refusals, seconds of waiting, calls."""
        old, new = self.recorded.total, self.simulated.total
        return old.refusals + new.refusals, old.waits.sum + new.waits.sum, old.calls


@dataclass(frozen=True)
class Plan:
    """What came of it.

    limiters: the ones with most to be seen first. replayed: calls that met one. estimated, unknown: those of
    them whose duration was guessed, or taken for nothing.
    """

    log: Log
    proposal: Proposal
    limiters: list[Comparison]
    replayed: int
    estimated: int
    unknown: int


def plan(log: Log, proposal: Proposal) -> Plan:
    """Sends the calls of `log` through limiters as `proposal` has them, and through those they met."""
    replay = _Replay(log, proposal)
    simulator = Simulator(proposal.limits)
    simulator.run(replay.demand())
    replay.recorded.finish()
    return Plan(
        log=log,
        proposal=proposal,
        limiters=_compared(replay.recorded.board, simulator.board),
        replayed=replay.replayed,
        estimated=log.estimates.estimated,
        unknown=log.estimates.unknown,
    )


class _Replay:
    def __init__(self, log: Log, proposal: Proposal) -> None:
        self.recorded = Recorded()
        self.replayed = 0
        self._log = log
        self._proposal = proposal

    def demand(self) -> Iterator[Demand]:
        """The calls that meet a limiter; what was recorded of each is followed by the way."""
        log = self._log
        for request in log.requests:
            gates = self._proposal.gates(request, in_scope=request.rpc in log.limited)
            if not gates:
                continue
            self.replayed += 1
            arrival = moment(request.arrival - log.first)
            self.recorded.follow(request, arrival, gates)
            yield Demand(arrival, gates, log.estimates.service(request), request.patience)


def _compared(recorded: Board, simulated: Board) -> list[Comparison]:
    names = {**recorded.limiters, **simulated.limiters}
    compared = [Comparison(name, recorded.of(name), simulated.of(name)) for name in names]
    for each in compared:
        align(each.recorded.series, each.simulated.series)
    return sorted(compared, key=lambda each: each.weight, reverse=True)
