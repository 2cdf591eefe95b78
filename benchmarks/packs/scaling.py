"""What cached bytes cost as readers become more and packs larger, against a bare sendfile of the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.harness import Row
from benchmarks.packs.client import Load
from benchmarks.packs.report import Curve
from benchmarks.packs.repositories import MB, large
from benchmarks.packs.requests import clone, everything
from benchmarks.packs.rounds import measured
from benchmarks.packs.stage import Served, Stage

_READERS_OF_SIZES = 4
_SIZE_OF_READERS = 10
_FLAT = 1.5
"""How much more a byte may cost at the end of a curve than at its beginning."""


def figures(stage: Stage) -> Iterator[Row | Curve]:
    """Two curves: the same pack for ever more readers, and ever larger packs for few of them."""
    readers, sizes, total = [1, 5, 20, 100, 500], [10, 100, 1000], 5000 * MB
    if stage.quick:
        readers, sizes, total = [1, 50], [1, 10], 200 * MB
    with stage.daemon() as daemon:
        by_readers = [_point(stage, daemon, _SIZE_OF_READERS, count, total) for count in readers]
        by_size = [_point(stage, daemon, size, _READERS_OF_SIZES, total) for size in sizes]
    for unit, marks, points in (("readers", readers, by_readers), ("MB", sizes, by_size)):
        for mark, (cpu, bare_cpu) in zip(marks, points, strict=True):
            yield Row(f"scaling, {mark} {unit}: CPU a GB (sendfile)", cpu, bare_cpu, "s")
        name = f"scaling, {marks[-1]} {unit}: CPU a GB ({marks[0]} {unit})"
        yield Row(name, points[-1][0], points[0][0], "s", _FLAT)
        yield Curve(f"by-{unit.lower()}", unit, marks, points)


def _point(stage: Stage, daemon: Served, size: int, readers: int, total: int) -> tuple[float, float]:
    """Seconds of CPU a GB, of the daemon and of the bare server, when about `total` bytes are read in all."""
    repo = stage.repositories.of(large(size))
    fetches = max(total // (size * MB), readers)
    request = clone(stage.repositories.placed(repo, daemon.storage), everything(repo))
    stage.client.run(Load(daemon.address, [request]))
    (pack,) = Path(repo.git_dir, "objects", "pack").glob("*.pack")
    with stage.bare(pack) as bare:
        load = Load(daemon.address, [request] * fetches, clients=readers)
        ours = measured(stage, daemon, load)
        theirs = measured(stage, bare, replace(load, address=bare.address, bare=bare.size))
    return ours.cpu_of_gb, theirs.cpu_of_gb
