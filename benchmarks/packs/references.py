"""Listing the references of a repository that has very many, against `git upload-pack` for each request.

Somebody takes what the daemon answers, so git's answer goes through a pipe.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean, median

from benchmarks.harness import Row
from benchmarks.packs.client import Load
from benchmarks.packs.repositories import crowded
from benchmarks.packs.requests import ls_refs
from benchmarks.packs.rounds import Measured, measured
from benchmarks.packs.stage import Served, Stage
from benchmarks.packs.upload_pack import piped

_REPEATED = 5
_ASKED = 100_000


def figures(stage: Stage) -> Iterator[Row]:
    """The first time the daemon is asked, and again."""
    for references, rounds in ((10_000, 3),) if stage.quick else ((100_000, 7), (1_000_000, 3)):
        yield from _of(stage, references, rounds)


def _of(stage: Stage, references: int, rounds: int) -> Iterator[Row]:
    repo = stage.repositories.of(crowded(references))
    with stage.daemon() as daemon:
        new, again, theirs = [], [], []
        for _ in range(rounds):
            path = stage.repositories.placed(repo, daemon.storage)
            new.append(_listed(stage, daemon, path, 1))
            again.append(_listed(stage, daemon, path, _REPEATED))
            theirs.append(piped(repo, ls_refs(path)))
    git_time, git_cpu = median(run.seconds for run in theirs), fmean(run.cpu for run in theirs)
    for name, found, count, limit in (("first", new, 1, 1.0), ("repeated", again, _REPEATED, 0.1)):
        title = f"ls-refs of {references:,}, {name}"
        time = median(each.seconds for each in found)
        asked = limit if references == _ASKED else None
        yield Row(f"{title}: time (git upload-pack)", time * 1e3, git_time * 1e3, "ms", asked)
        cpu = fmean(each.cpu for each in found) / count
        yield Row(f"{title}: CPU (git upload-pack)", cpu * 1e3, git_cpu * 1e3, "ms")


def _listed(stage: Stage, daemon: Served, path: str, times: int) -> Measured:
    return measured(stage, daemon, Load(daemon.address, [ls_refs(path)] * times))
