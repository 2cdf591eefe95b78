"""All comparisons of the two engines, one after another."""

from __future__ import annotations

from benchmarks.harness import Row, workspace
from benchmarks.rpc import connections, starting, streams, unary
from benchmarks.rpc.engines import client, servers


async def rows(quick: bool) -> list[Row]:
    """The figures, those of the first engine beside those of the second."""
    found: list[Row] = []
    with workspace() as root, client() as process:
        async with servers(root / "calls") as pair:
            found += await unary.rows(process, pair, quick)
            found += await streams.rows(process, pair, quick)
        found += await connections.rows(process, root, quick)
        found += starting.rows(root / "starts", quick)
    others = process.disturbance
    print(f"other processes took {others:.0%} of the daemons' core: times are longer for it, CPU is not")
    return found
