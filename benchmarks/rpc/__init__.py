"""The two RPC engines side by side: the native one is measured, the one on grpcio is the reference.

Two daemons that differ in `[rpc] engine` run on one core; the clients are a process of their own on another.
Each figure is taken from both in turns, in the same run and with the same client. Round trips, streams and
starts are measured with grpcio's synchronous client. Rates and CPU need a client that is quicker than the
server, which grpcio's is not, so that `connection.py` has one that sends prepared bytes. Round trips are
measured with that one, too: two thirds of the native engine's are grpcio's client, whatever answers it.
`h2load` would be quick enough, but it sends the same header block again and again and takes any HTTP status
200 for success: it can neither make two entries new in each call nor see `grpc-status`.

The variable BENCHMARK_ENGINES (default `native,grpcio`) names other engines; the same one twice must give
ratios of one, which is how to check the method.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.harness import Row


async def run(quick: bool) -> list[Row]:
    """Every figure of the comparison, the native engine's beside grpcio's."""
    # Imported late, since a daemon that is measured is a module of this package and needs none of it.
    from benchmarks.rpc.suite import rows

    return await rows(quick)
