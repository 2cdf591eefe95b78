"""A fetch that nobody has made before, against `git upload-pack` into a pipe to nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean, median

from benchmarks.generator import Shape
from benchmarks.harness import Row
from benchmarks.packs.checking import checked
from benchmarks.packs.client import Fetched, Load
from benchmarks.packs.repositories import busy, large
from benchmarks.packs.requests import clone, everything
from benchmarks.packs.stage import Stage
from benchmarks.packs.upload_pack import Run, piped

_TIME = 1.05
_LATER = 0.015
"""Seconds that the first byte of a pack may come later than git's."""


def figures(stage: Stage) -> Iterator[Row]:
    """Much data in few objects, and many objects with little data."""
    edits, texts = (60, 200) if stage.quick else (1800, 2000)
    megabytes, rounds = (20, 3) if stage.quick else (300, 7)
    shapes = {f"{megabytes} MB": large(megabytes), "many objects": busy(edits, texts)}
    for name, shape in shapes.items():
        yield from _of(stage, name, shape, rounds)


def _of(stage: Stage, name: str, shape: Shape, rounds: int) -> Iterator[Row]:
    repo = stage.repositories.of(shape)
    wants = everything(repo)
    ours: list[Fetched] = []
    spent: list[float] = []
    theirs: list[Run] = []
    with stage.daemon() as daemon:
        checked(stage, daemon.address, clone(stage.repositories.placed(repo, daemon.storage), wants))
        for _ in range(rounds):
            request = clone(stage.repositories.placed(repo, daemon.storage), wants)
            with daemon.tree.measured() as cost:
                ours += stage.client.run(Load(daemon.address, [request])).fetches
            spent.append(cost.cpu)
            theirs.append(piped(repo, request))
    time, git_time = median(run.seconds for run in ours), median(run.seconds for run in theirs)
    first, git_first = median(run.first for run in ours), median(run.first for run in theirs)
    title = f"miss, {name}"
    yield Row(f"{title}: last byte (git upload-pack)", time * 1e3, git_time * 1e3, "ms", _TIME)
    wanted = git_first + _LATER
    yield Row(f"{title}: first pack byte (git's + 15 ms)", first * 1e3, wanted * 1e3, "ms", 1.0)
    cpu, git_cpu = fmean(spent), fmean(run.cpu for run in theirs)
    yield Row(f"{title}: server CPU (git upload-pack)", cpu * 1e3, git_cpu * 1e3, "ms")
