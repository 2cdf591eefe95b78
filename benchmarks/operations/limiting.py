"""What a limit costs the calls that it lets pass.

The limit is far above what is asked for, so that nobody ever waits. With one worker its slots are there; with
more they are the coordinator's, which is a round trip away. Daemons without a limit are the reference. For
the time a call of 32 callers, daemons have the first core and the client the last. For round trips both may
use any core, since the coordinator would otherwise compete with the worker that waits for it. What the
coordinator adds has a second reference: a byte to another process and back, which neither of them does
anything for.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import median

from benchmarks.harness import Row
from benchmarks.operations.calls import FIND_COMMIT, Callers, find_commit
from benchmarks.operations.fleet import Fleet, cpu_seconds, fleet, limit

_ALLOWED = 1.05
_ALLOWED_US = 150.0
_CALLERS = 32
_NEVER_REACHED = limit(FIND_COMMIT, 1000)


def figures(quick: bool) -> Iterator[Row]:
    """Daemons with a limit beside those without."""
    calls, rounds, pairs, turns = (50, 5, 1, 300) if quick else (150, 7, 7, 3000)
    (turn, spent), (other_turn, other_spent) = _times_of_several(pairs, calls, rounds)
    name = f"FindCommit with a limit, slots of the worker, {_CALLERS} callers (without)"
    yield Row(f"{name}: time a call", turn * 1e6, other_turn * 1e6, "µs", _ALLOWED)
    yield Row(f"{name}: CPU", spent * 1e6, other_spent * 1e6, "µs", _ALLOWED)
    for workers, whose in ((1, "worker"), (2, "coordinator")):
        with _both(workers) as pair:
            with_limit, without = _round_trips(pair, turns)
        name = f"FindCommit with a limit, slots of the {whose}, one caller"
        yield Row(f"{name} (without): round trip", with_limit * 1e6, without * 1e6, "µs")
        if workers > 1:
            added = with_limit - without
            yield Row(f"{name}: round trip added", added * 1e6, _ALLOWED_US, "µs", 1.0)
            yield Row("  (a bare round trip of two processes)", added * 1e6, _bare(turns) * 1e6, "µs")


@contextmanager
def _both(workers: int, cores: set[int] | None = None) -> Iterator[list[Fleet]]:
    """A daemon with a limit, and one without."""
    with (
        fleet(workers=workers, tables=_NEVER_REACHED, cores=cores) as limited,
        fleet(workers=workers, cores=cores) as free,
    ):
        yield [limited, free]


def _times_of_several(pairs: int, calls: int, rounds: int) -> list[tuple[float, float]]:
    """As `_times`, the middle of several pairs: two daemons that are alike differ by 5 % and more."""
    cores = sorted(os.sched_getaffinity(0))
    found = []
    for _ in range(pairs):
        with _both(1, cores={cores[0]}) as pair, _kept_on(cores[-1]):
            found.append(_times(pair, calls, rounds))
    return [
        (median(times for times, _ in each), median(spent for _, spent in each))
        for each in zip(*found, strict=True)
    ]


def _times(pair: list[Fleet], calls: int, rounds: int) -> list[tuple[float, float]]:
    """Seconds a call, and processor time of the worker, of each daemon; they take turns."""
    found: list[tuple[list[float], list[float]]] = [([], []) for _ in pair]
    with ExitStack() as opened:
        callers = [Callers(opened, find_commit(each), _CALLERS, calls * rounds) for each in pair]
        for _ in range(rounds):
            for daemon, each, (times, spent) in zip(pair, callers, found, strict=True):
                pid = daemon.daemon.worker.pid
                before = cpu_seconds(pid)
                times.append(each.perform(calls).seconds / (calls * _CALLERS))
                spent.append((cpu_seconds(pid) - before) / (calls * _CALLERS))
        for each in callers:
            each.verify()
    return [(median(times), median(spent)) for times, spent in found]


def _round_trips(pair: list[Fleet], turns: int) -> list[float]:
    """Seconds of a round trip of each daemon; they take turns call by call, which finds caches cold alike."""
    found: list[list[float]] = [[] for _ in pair]
    with ExitStack() as opened:
        callers = [Callers(opened, find_commit(each), 1, turns) for each in pair]
        for _ in range(turns):
            for each, times in zip(callers, found, strict=True):
                since = time.perf_counter()
                each.perform(1)
                times.append(time.perf_counter() - since)
        for each in callers:
            each.verify()
    return [median(times) for times in found]


def _bare(turns: int) -> float:
    """Seconds in which a byte comes back from a process that sends all it gets."""
    ours, theirs = socket.socketpair()
    echo = "import socket, sys\ns = socket.socket(fileno=int(sys.argv[1]))\nwhile d := s.recv(1): s.send(d)"
    line = [sys.executable, "-c", echo, str(theirs.fileno())]
    with ours, theirs, subprocess.Popen(line, pass_fds=[theirs.fileno()]) as process:
        times = []
        for _ in range(turns):
            since = time.perf_counter()
            ours.send(b"x")
            ours.recv(1)
            times.append(time.perf_counter() - since)
        process.terminate()
    return median(times)


@contextmanager
def _kept_on(core: int) -> Iterator[None]:
    """This thread stays on a core."""
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, everywhere)
