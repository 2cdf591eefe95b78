"""Loads in turns: the server that is measured and its reference meet the same noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from benchmarks.packs.client import Load, Outcome
from benchmarks.packs.stage import Server, Stage

GB = 10**9


@dataclass(frozen=True)
class Measured:
    """Of one load, or the middle of several. seconds: median of a fetch. The rest is of all fetches.

    cpu, client_cpu: seconds of the server and of the clients. memory: growth of the server in bytes.
    """

    seconds: float
    elapsed: float
    cpu: float
    client_cpu: float
    received: int
    memory: int

    @property
    def cpu_of_gb(self) -> float:
        """Server's seconds of processor time for 10^9 bytes."""
        return self.cpu / self.received * GB

    @property
    def time_of_gb(self) -> float:
        """Seconds for 10^9 bytes."""
        return self.elapsed / self.received * GB


def measured(stage: Stage, server: Server, load: Load) -> Measured:
    """One load."""
    with server.tree.measured() as spent:
        outcome: Outcome = stage.client.run(load)
    seconds = median(fetch.seconds for fetch in outcome.fetches)
    return Measured(seconds, outcome.seconds, spent.cpu, outcome.cpu, outcome.received, spent.memory)


def alternating(stage: Stage, rounds: int, loads: Sequence[tuple[Server, Load]]) -> list[Measured]:
    """Each load so many times, in turns."""
    found: list[list[Measured]] = [[] for _ in loads]
    for _ in range(rounds):
        for (server, load), results in zip(loads, found, strict=True):
            results.append(measured(stage, server, load))
    return [_middle(results) for results in found]


def _middle(results: Sequence[Measured]) -> Measured:
    return Measured(
        seconds=median(result.seconds for result in results),
        elapsed=median(result.elapsed for result in results),
        cpu=fmean(result.cpu for result in results),
        client_cpu=fmean(result.client_cpu for result in results),
        received=results[0].received,
        memory=max(result.memory for result in results),
    )
