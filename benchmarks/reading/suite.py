"""All figures of reading, one module after another."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.harness import Row
from benchmarks.reading import beside, points, streams
from benchmarks.reading.stage import Stage, stage

FIGURES: dict[str, Callable[[Stage, bool], Iterator[Row]]] = {
    "points": points.figures,
    "streams": streams.figures,
    "beside": beside.figures,
}

_IN_PASSING = ("points", "streams")
"""What a quick run of all benchmarks takes."""


async def rows(*, quick: bool) -> list[Row]:
    """Every figure."""
    return await asyncio.to_thread(_all, quick)


def _all(quick: bool) -> list[Row]:
    chosen = _IN_PASSING if quick else tuple(FIGURES)
    with stage(quick=quick) as set_up:
        return [row for name in chosen for row in FIGURES[name](set_up, quick)]


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    since = time.monotonic()
    found: list[Row] = []
    with stage(quick=options.quick, keep=options.keep) as set_up:
        for name in options.only or FIGURES:
            for row in FIGURES[name](set_up, options.quick):
                found.append(row)
                print(row, flush=True)
    asked = [row for row in found if row.limit is not None]
    exceeded = sum(row.ratio > row.limit for row in asked if row.limit is not None)
    print(
        f"{exceeded} of {len(asked)} figures above what is asked for; {time.monotonic() - since:.0f} seconds"
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks reading", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small repository and few rounds")
    parser.add_argument("--only", nargs="+", choices=FIGURES, help="these figures")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the repository for later runs")
    return parser
