"""The daemon as its operators see it: workers, limits, overload, reloads, kills, memory at rest.

`python -m benchmarks operations` takes every figure, each beside a reference of the same run. `--help` tells
the options; the modules tell what is measured and why it is measured in that way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.harness import Row

# Imported late, since the processes of the clients are modules of this package, too.


async def run(quick: bool) -> list[Row]:
    """Every figure, for a run of all benchmarks; nothing is written."""
    from benchmarks.operations.suite import rows

    return await rows(quick=quick)


def main(arguments: Sequence[str]) -> int:
    """The suite by itself, with its options; the exit status."""
    from benchmarks.operations.suite import main as run_alone

    return run_alone(arguments)
