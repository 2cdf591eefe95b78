"""A small repository fetched again and again, against `git upload-pack` for each request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from statistics import median

from benchmarks.harness import Row
from benchmarks.packs.checking import checked
from benchmarks.packs.client import Load
from benchmarks.packs.repositories import small
from benchmarks.packs.requests import clone, everything
from benchmarks.packs.rounds import measured
from benchmarks.packs.stage import Stage
from benchmarks.packs.upload_pack import discarded

_MILLISECONDS = 0.8
"""Of the server's processor time for a fetch, that are asked for at most."""
_PROCESSES = 2
"""That git starts for a fetch: upload-pack and pack-objects."""


def figures(stage: Stage) -> Iterator[Row]:
    """One client, and then thirty at once."""
    fetches, runs, rounds = (100, 10, 3) if stage.quick else (500, 20, 7)
    repo = stage.repositories.of(small())
    with stage.daemon() as daemon:
        request = clone(stage.repositories.placed(repo, daemon.storage), everything(repo))
        checked(stage, daemon.address, request)
        load = Load(daemon.address, [request] * fetches)
        stage.client.run(load)
        before = daemon.git.count()
        ours, theirs, busy = [], [], []
        for _ in range(rounds):
            ours.append(measured(stage, daemon, load))
            theirs += [discarded(repo, request) for _ in range(runs)]
            busy.append(measured(stage, daemon, replace(load, clients=30)))
        started = daemon.git.count() - before
    git_time, git_cpu = (median(run.seconds for run in theirs), sum(run.cpu for run in theirs) / len(theirs))
    cpu = sum(found.cpu for found in ours) / fetches / rounds
    busy_cpu = sum(found.cpu for found in busy) / fetches / rounds
    title = "plan hit"
    time = median(found.seconds for found in ours)
    yield Row(f"{title}: time a fetch (git upload-pack)", time * 1e3, git_time * 1e3, "ms", 1 / 6)
    yield Row(f"{title}: server CPU a fetch (git upload-pack)", cpu * 1e3, git_cpu * 1e3, "ms")
    yield Row(f"{title}: server CPU a fetch ({_MILLISECONDS} ms)", cpu * 1e3, _MILLISECONDS, "ms", 1.0)
    yield Row(f"{title}: 30 clients, CPU a fetch ({_MILLISECONDS} ms)", busy_cpu * 1e3, _MILLISECONDS, "ms")
    total = 2 * fetches * rounds
    yield Row(f"{title}: git processes for {total} fetches (git's own)", started, total * _PROCESSES, "", 0.0)
