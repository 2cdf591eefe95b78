"""All figures of the pack path, one module after another."""

from __future__ import annotations

import argparse
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import Row
from benchmarks.packs import cached, crowd, miss, plan_hit, references, report, scaling, storm
from benchmarks.packs.calls import Broken
from benchmarks.packs.checking import WrongAnswer
from benchmarks.packs.report import Curve, Section
from benchmarks.packs.stage import Stage, stage

FIGURES = {
    "cached": ("A cached pack", cached.figures),
    "plan-hit": ("A small repository again and again", plan_hit.figures),
    "miss": ("A fetch that is not in the cache", miss.figures),
    "crowd": ("Many clones at once", crowd.figures),
    "storm": ("Continuous integration", storm.figures),
    "references": ("Very many references", references.figures),
    "scaling": ("More readers, larger packs", scaling.figures),
}

_IN_PASSING = ("cached", "plan-hit", "storm", "references", "scaling")
"""What a quick run of all benchmarks takes."""

_RESULTS = Path(__file__).parents[2] / "docs" / "benchmarks"


def rows(*, quick: bool) -> list[Row]:
    """Every figure."""
    with stage(quick=quick) as prepared:
        sections = [_section(prepared, name) for name in (_IN_PASSING if quick else FIGURES)]
    return [row for section in sections for row in section.rows]


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    since = time.monotonic()
    sections, failed = [], 0
    with stage(quick=options.quick, keep=options.keep, pinned=options.pin) as prepared:
        for name in options.only or FIGURES:
            try:
                section = _section(prepared, name)
            except (Broken, WrongAnswer, OSError, subprocess.CalledProcessError) as error:
                failed += 1
                print(f"-- {name} failed: {error}", flush=True)
                continue
            sections.append(section)
            for row in section.rows:
                print(row, flush=True)
    output = options.output or (None if options.quick or options.only else _RESULTS)
    if output is not None:
        report.write(output, sections, quick=options.quick)
    asked = [row for section in sections for row in section.rows if row.limit is not None]
    exceeded = sum(row.ratio > row.limit for row in asked if row.limit is not None)
    seconds = time.monotonic() - since
    print(f"{exceeded} of {len(asked)} figures above what is asked for; {seconds:.0f} seconds")
    return 1 if failed else 0


def _section(prepared: Stage, name: str) -> Section:
    title, figures = FIGURES[name]
    found = list(figures(prepared))
    curves = [item for item in found if isinstance(item, Curve)]
    return Section(title, [item for item in found if isinstance(item, Row)], curves)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks packs", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small, with few rounds; writes no files")
    parser.add_argument("--only", nargs="+", choices=FIGURES, help="these figures; writes no files")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the repositories for later runs")
    parser.add_argument("--pin", action="store_true", help="servers on the first core, clients on the last")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="where to write; docs/benchmarks by default"
    )
    return parser
