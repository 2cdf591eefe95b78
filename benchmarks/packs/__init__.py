"""The pack path: what a fetch costs that the caches can answer, and one that they can't.

`python -m benchmarks packs` takes every figure, each beside a reference of the same run: a bare sendfile of
the same bytes to the same client, or git's own `upload-pack`. `--help` tells the options.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.harness import Row

# Imported late, since the processes of the servers and of the clients are modules of this package, too.


async def run(quick: bool) -> list[Row]:
    """Every figure, for a run of all benchmarks; nothing is written."""
    from benchmarks.packs.suite import rows

    return rows(quick=quick)


def main(arguments: Sequence[str]) -> int:
    """The suite by itself, with its options; the exit status."""
    from benchmarks.packs.suite import main as run_alone

    return run_alone(arguments)
