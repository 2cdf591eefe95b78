"""Read RPCs on one repository of 100,000 commits, 50,000 files and 100,000 references.

Point reads are measured against an empty RPC, streams against git doing the same work, and point reads once
more while heavy streams run. `python -m benchmarks reading` takes every figure; `--help` tells the options.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.harness import Row

# Imported late, since the processes of the clients are modules of this package, too.


async def run(quick: bool) -> list[Row]:
    """Every figure, for a run of all benchmarks."""
    from benchmarks.reading.suite import rows

    return await rows(quick=quick)


def main(arguments: Sequence[str]) -> int:
    """The suite by itself, with its options; the exit status."""
    from benchmarks.reading.suite import main as run_alone

    return run_alone(arguments)
