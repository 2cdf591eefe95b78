"""What ten thousand calls cost that wait for a limit of one.

The calls are GetArchive. The first one holds the slot since its client takes no answer: it grants the stream
no window. All others line up behind it, over connections to both workers, until their clients hang up. What
is counted is memory that the daemon's processes share with nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

from benchmarks.harness import Row
from benchmarks.operations.calls import GET_ARCHIVE, Callers, Target, archive, find_commit
from benchmarks.operations.fleet import Fleet, fleet, limit
from benchmarks.rpc.connection import Broken, Connection
from benchmarks.rpc.metadata import Metadata, block_maker

_ALLOWED_MB = 50.0
_CONNECTIONS = 20
_MEGABYTES = 10
"""More than fits into what lies between git and the client."""

_GIVEN_BACK_SECONDS = 12.0
"""In which a worker gives back to the system what its allocator has kept."""

_PATIENCE = 60.0


def figures(quick: bool) -> Iterator[Row]:
    """Memory while so many calls wait, against what is asked for; and once they are gone."""
    waiting = 2_000 if quick else 10_000
    with fleet(workers=2, tables=limit(GET_ARCHIVE, 1, queue=2 * waiting)) as measured:
        target = archive(measured, _MEGABYTES)
        with ExitStack() as opened:
            Callers(opened, find_commit(measured), _CONNECTIONS, 0)
        with ExitStack() as opened:
            _until(lambda: measured.slots() == (0, 0), "slots are in use")
            _hold(opened, target)
            _until(lambda: measured.slots() == (1, 0), "the first call does not hold its slot")
            before = measured.memories()
            _line_up(opened, target, waiting)
            _until(lambda: measured.slots() == (1, waiting), "calls do not line up")
            grown, shared = _growth(measured, before)
        since = time.monotonic()
        _until(lambda: measured.slots() == (0, 0), "slots are left in use")
        emptied = time.monotonic() - since
        time.sleep(_GIVEN_BACK_SECONDS)
        left, left_shared = _growth(measured, before)
    allowed = _ALLOWED_MB * waiting / 10_000
    name = f"{waiting} calls behind a limit of 1, 2 workers: memory growth"
    yield Row(name, grown / 1e6, allowed, "MB", 1.0)
    yield Row("  of that, of the coordinator (all)", shared / 1e6, grown / 1e6, "MB")
    yield Row("  of each call", grown / waiting / 1e3, _ALLOWED_MB * 1e6 / 10_000 / 1e3, "kB")
    yield Row("  left some seconds after they have hung up (growth)", left / 1e6, grown / 1e6, "MB")
    yield Row("  of that, of the coordinator (all)", left_shared / 1e6, left / 1e6, "MB")
    yield Row("  until no slot and no place in line is taken", emptied, 1.0, "s")


def _growth(measured: Fleet, before: dict[int, int]) -> tuple[int, int]:
    """Bytes of all processes, and of the coordinator, beyond those of `before`."""
    now = measured.memories()
    grown = {pid: size - before[pid] for pid, size in now.items()}
    return sum(grown.values()), grown[measured.coordinator]


def _hold(opened: ExitStack, target: Target) -> None:
    _call(opened, target, 1, window=0)


def _line_up(opened: ExitStack, target: Target, count: int) -> None:
    for _ in range(_CONNECTIONS):
        _call(opened, target, count // _CONNECTIONS)


def _call(opened: ExitStack, target: Target, count: int, **options: int) -> None:
    connection = opened.enter_context(closing(Connection(target.socket, **options)))
    connection.settle()
    make_block = block_maker(target.path, Metadata.NONE, connection.table_size)
    for data in connection.requests(count, make_block, target.message):
        connection.send(data)


def _until(holds: Callable[[], bool], otherwise: str) -> None:
    """Waits for something of the daemon. Raises Broken when it takes too long."""
    deadline = time.monotonic() + _PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise Broken(otherwise)
        time.sleep(0.05)
