"""All figures of operation, one module after another."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmarks.harness import Row
from benchmarks.operations import killing, limiting, overload, plot, queueing, reloading, resting, workers
from benchmarks.operations.overload import Curve
from benchmarks.rpc.connection import Broken

Figures = Callable[[bool], Iterator[Row | Curve]]

FIGURES: dict[str, Figures] = {
    "workers": workers.figures,
    "limiting": limiting.figures,
    "queueing": queueing.figures,
    "overload": overload.figures,
    "reloading": reloading.figures,
    "resting": resting.figures,
    "killing": killing.figures,
}

_IN_PASSING = ("limiting", "killing")
"""What a quick run of all benchmarks takes: the others need minutes to tell anything."""

_RESULTS = Path(__file__).parents[2] / "docs" / "benchmarks"


async def rows(*, quick: bool) -> list[Row]:
    """Every figure."""
    return await asyncio.to_thread(_all, quick)


def _all(quick: bool) -> list[Row]:
    chosen = _IN_PASSING if quick else tuple(FIGURES)
    return [item for name in chosen for item in FIGURES[name](quick) if isinstance(item, Row)]


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    since = time.monotonic()
    found: list[Row] = []
    curves: list[Curve] = []
    failed = 0
    known: dict[str, Figures] = {**FIGURES, "reloading": partial(reloading.figures, rounds=options.reloads)}
    for name in options.only or FIGURES:
        try:
            for item in known[name](options.quick):
                if isinstance(item, Row):
                    found.append(item)
                    print(item, flush=True)
                else:
                    curves.append(item)
        except (Broken, OSError, AssertionError) as error:
            failed += 1
            print(f"-- {name} failed: {error}", flush=True)
    output = options.output or (None if options.quick else _RESULTS)
    if output is not None and curves:
        files = plot.draw(output, curves)
        print(f"written: {', '.join(map(str, files))}" if files else "no plot: it needs matplotlib")
    asked = [row for row in found if row.limit is not None]
    exceeded = sum(row.ratio > row.limit for row in asked if row.limit is not None)
    print(
        f"{exceeded} of {len(asked)} figures above what is asked for; {time.monotonic() - since:.0f} seconds"
    )
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks operations", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds and short times; draws nothing")
    parser.add_argument("--only", nargs="+", choices=FIGURES, help="these figures")
    parser.add_argument(
        "--reloads", type=int, default=0, metavar="N", help="rounds of reloads instead of the usual number"
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="where to draw; docs/benchmarks by default"
    )
    return parser
