"""What continuous integration does: many shallow fetches of few branches, at once and cold."""

from __future__ import annotations

import random
from collections.abc import Iterator

from benchmarks.harness import Row
from benchmarks.packs.checking import checked
from benchmarks.packs.client import Load
from benchmarks.packs.repositories import busy
from benchmarks.packs.requests import clone
from benchmarks.packs.rounds import measured
from benchmarks.packs.stage import Stage
from benchmarks.packs.upload_pack import at_once

_DEPTH = 20
_BRANCHES = 10
_CLIENTS = 50
_LESS = 10
"""How many times less processor time a fetch is to take than git's."""


def figures(stage: Stage) -> Iterator[Row]:
    """All fetches in one go."""
    fetches, references = (100, 30) if stage.quick else (500, 100)
    edits, texts = (60, 200) if stage.quick else (1800, 2000)
    repo = stage.repositories.of(busy(edits, texts))
    tips = [repo.git("rev-parse", f"refs/heads/branch-{number}") for number in range(_BRANCHES)]
    with stage.daemon() as daemon:
        path = stage.repositories.placed(repo, daemon.storage)
        kinds = [clone(path, [tip], depth=_DEPTH) for tip in tips]
        requests = random.Random(1).choices(kinds, k=fetches)
        before = daemon.git.count("pack-objects")
        ours = measured(stage, daemon, Load(daemon.address, requests, clients=_CLIENTS))
        started = daemon.git.count("pack-objects") - before
        checked(stage, daemon.address, kinds[0])
    theirs = at_once(repo, requests[:references], _CLIENTS)
    title = f"storm of {fetches}"
    cpu, git_cpu = ours.cpu / fetches * 1e3, theirs.cpu / references * 1e3
    yield Row(f"{title}: CPU a fetch (git upload-pack)", cpu, git_cpu, "ms", 1 / _LESS)
    time, git_time = ours.elapsed / fetches * 1e3, theirs.seconds / references * 1e3
    yield Row(f"{title}: time a fetch (git upload-pack)", time, git_time, "ms")
    yield Row(f"{title}: pack-objects processes (branches)", started, _BRANCHES, "", 1.0)
