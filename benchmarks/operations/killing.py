"""How soon nothing is left of a daemon whose supervisor is killed: no worker, no git process.

Each daemon has archives under way whose clients take no answer, so that git waits to write and would never
end by itself. A process that has ended and that nobody has reaped counts as gone.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from statistics import median

import psutil

from benchmarks.harness import Row
from benchmarks.operations.calls import Target, archive
from benchmarks.operations.fleet import Fleet, fleet
from benchmarks.rpc.connection import Broken, Connection
from benchmarks.rpc.metadata import Metadata, block_maker

_ALLOWED_SECONDS = 2.0
_PATIENCE = 30.0
_CALLS = 8
_MEGABYTES = 10
"""More than fits into what lies between git and the client."""


def figures(quick: bool) -> Iterator[Row]:
    """The longest and the median time of some kills."""
    times = [_seconds() for _ in range(3 if quick else 15)]
    name = f"kill -9 of the supervisor, 2 workers and {_CALLS} git processes: until all are gone"
    yield Row(f"{name}, longest of {len(times)}", max(times), _ALLOWED_SECONDS, "s", 1.0)
    yield Row(f"{name}, median", median(times), _ALLOWED_SECONDS, "s")


def _seconds() -> float:
    with fleet(workers=2) as daemon, ExitStack() as opened:
        target = archive(daemon, _MEGABYTES)
        for _ in range(_CALLS):
            _begin(opened, target)
        left = _all(daemon)
        since = time.perf_counter()
        daemon.daemon.kill()
        try:
            while left := [process for process in left if _lives(process)]:
                if time.perf_counter() - since > _PATIENCE:
                    raise Broken(f"{len(left)} processes are left")
                time.sleep(0.005)
            return time.perf_counter() - since
        finally:
            for process in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()


def _begin(opened: ExitStack, target: Target) -> None:
    connection = opened.enter_context(closing(Connection(target.socket, window=0)))
    connection.settle()
    make_block = block_maker(target.path, Metadata.NONE, connection.table_size)
    connection.send(connection.requests(1, make_block, target.message)[0])


def _all(daemon: Fleet) -> list[psutil.Process]:
    """All processes below the supervisor, once there is a git process for each call. Raises Broken."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        found = psutil.Process(daemon.daemon.pid).children(recursive=True)
        if sum(not process.name().startswith("gitaly-") for process in found) >= _CALLS:
            return found
        if time.monotonic() > deadline:
            raise Broken(f"{len(found)} processes, too few for {_CALLS} calls")
        time.sleep(0.05)


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False
