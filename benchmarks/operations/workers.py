"""What a second worker adds to the calls that a daemon serves.

A client that keeps two workers busy needs a third core, which few machines have to spare, and what it takes
of their two would be taken for theirs. So the capacity is counted where the calls are served. While 32
connections keep all workers busy, each worker's processor time and its calls (entries of the access log) are
taken: calls by seconds are what it serves on a core that is its own, and the daemon's capacity is the sum.
This counts whatever workers cost each other by way of memory, locks of the kernel and messages, since all
of it is processor time. It does not see workers that wait for each other without working. Then a part of the
cores would be idle though 32 calls are under way: how much was idle has a row of its own. The supervisor's
processor time is booked on the workers.

The plain rate is that of wall time, with client and workers on the same cores.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

import psutil

from benchmarks.harness import Row
from benchmarks.operations.calls import Callers, find_commit
from benchmarks.operations.fleet import Fleet, cpu_seconds, fleet
from benchmarks.rpc.connection import Broken

CONNECTIONS = 32

_ASKED = 1 / 1.7
_LOG_SECONDS = 5.0
_LOG_PAUSE = 0.3
_PID = re.compile(rb'"grpc.method": "FindCommit".*"pid": (\d+)')


@dataclass(frozen=True)
class _Round:
    """capacity, rate: calls a second. idle: part of the cores' time. spread: connections by worker."""

    capacity: float
    rate: float
    client: float
    idle: float
    spread: list[int]


def figures(quick: bool) -> Iterator[Row]:
    """Two workers beside one."""
    calls, rounds = (100, 3) if quick else (400, 7)
    ones: list[_Round] = []
    twos: list[_Round] = []
    with fleet(workers=1) as one, fleet(workers=2) as two:
        for _ in range(rounds):
            ones.append(_round(one, calls))
            twos.append(_round(two, calls))

    def both(unit: Callable[[_Round], float]) -> tuple[float, float]:
        return median(map(unit, twos)), median(map(unit, ones))

    name = f"FindCommit, {CONNECTIONS} connections, 2 workers (1 worker)"
    yield Row(f"{name}: capacity, time a call", *both(lambda each: 1e6 / each.capacity), "µs", _ASKED)
    yield Row("  capacity, calls a second of CPU", *both(lambda each: each.capacity), "/s")
    yield Row("  plain rate, cores shared with the client", *both(lambda each: each.rate), "/s")
    yield Row("  client's time a call", *both(lambda each: each.client * 1e6), "µs")
    yield Row("  cores idle meanwhile", *both(lambda each: each.idle * 100), "%")
    most = median(max(each.spread) for each in twos)
    yield Row("  connections of the worker that has most (half)", most, CONNECTIONS / 2, "")


def _round(measured: Fleet, calls: int) -> _Round:
    with ExitStack() as opened:
        callers = Callers(opened, find_commit(measured), CONNECTIONS, calls)
        status = measured.document("status.json")["workers"]
        spread = [worker["connections"] for worker in status]
        pids = [worker.pid for worker in measured.daemon.workers]
        place = _settled(measured)
        idle, supervisor = _idle_seconds(), cpu_seconds(measured.daemon.pid)
        before = {pid: cpu_seconds(pid) for pid in pids}
        load = callers.perform(calls)
        spent = {pid: cpu_seconds(pid) - before[pid] for pid in pids}
        supervisor = cpu_seconds(measured.daemon.pid) - supervisor
        idle = _idle_seconds() - idle
        callers.verify()
        total = CONNECTIONS * calls
        served = _served(measured, place, total)
    overhead = 1 + supervisor / sum(spent.values())
    return _Round(
        capacity=sum(served[pid] / (spent[pid] * overhead) for pid in pids if spent[pid] and served[pid]),
        rate=total / load.seconds,
        client=load.client / total,
        idle=idle / load.seconds / len(psutil.cpu_times(percpu=True)),
        spread=spread,
    )


def _served(measured: Fleet, place: int, calls: int) -> Counter[int]:
    """Calls by process. place: bytes of the log before them. Raises Broken when some are not in it."""
    deadline = time.monotonic() + _LOG_SECONDS
    while True:
        with measured.daemon.log.open("rb") as log:
            log.seek(place)
            found = Counter(int(pid) for pid in _PID.findall(log.read()))
        if found.total() == calls:
            return found
        if time.monotonic() > deadline:
            raise Broken(f"{found.total()} of {calls} calls are in the log")
        time.sleep(0.05)


def _settled(measured: Fleet) -> int:
    """Bytes of the log, once the entries of earlier calls are in it: writers are a moment behind."""
    size = -1
    while size != (size := measured.daemon.log.stat().st_size):
        time.sleep(_LOG_PAUSE)
    return size


def _idle_seconds() -> float:
    times = psutil.cpu_times()
    return float(times.idle + times.iowait)
