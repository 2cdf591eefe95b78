"""What a limit costs the calls that it lets pass.

The limit is far above what is asked for, so that nobody ever waits. With one worker its slots are there; with
more they are the coordinator's, which is a round trip away.

For the time a call of 32 callers, the same worker serves those whom the limit counts and those whom it does
not, in turns, since two daemons that are alike differ by 5 % and more: callers without a name are limited
here, and a feature flag excepts some. Groups of callers that are alike differ by 2 %, so there are several.
The daemon has the first core and the client the last.

For round trips the reference is a daemon without a limit. Both may use any core, since the coordinator would
otherwise compete with the worker that waits for it. What the coordinator adds has a second reference: a byte
to another process and back, which neither of them does anything for.
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
from gitaly_py.interceptors.limits import SWITCH

_ALLOWED = 1.05
_ALLOWED_US = 150.0
_CALLERS = 32
_GROUPS = 3
_OTHER_FLAG = "gitaly-feature-that-nobody-knows"
"""Means nothing to the daemon: those whom the limit counts send as much as those whom it excepts."""
_NEVER_REACHED = limit(FIND_COMMIT, 1000)
_NAMELESS_ONLY = (
    f'[[concurrency]]\nrpc = "{FIND_COMMIT}"\n[concurrency.unauthenticated]\nmax_concurrency = 1000\n'
)


def figures(quick: bool) -> Iterator[Row]:
    """Daemons with a limit beside those without."""
    calls, rounds, turns = (30, 3, 300) if quick else (50, 30, 3000)
    (turn, spent), (other_turn, other_spent) = _times(calls, rounds)
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
def _both(workers: int) -> Iterator[list[Fleet]]:
    """A daemon with a limit, and one without."""
    with fleet(workers=workers, tables=_NEVER_REACHED) as limited, fleet(workers=workers) as free:
        yield [limited, free]


def _times(calls: int, rounds: int) -> list[tuple[float, float]]:
    """Seconds a call, and processor time of the worker, of callers with a limit and without."""
    cores = sorted(os.sched_getaffinity(0))
    found: list[tuple[list[float], list[float]]] = [([], []), ([], [])]
    with (
        fleet(workers=1, tables=_NAMELESS_ONLY, cores={cores[0]}) as measured,
        _kept_on(cores[-1]),
        ExitStack() as opened,
    ):
        target, pid = find_commit(measured), measured.daemon.worker.pid
        groups = [
            (Callers(opened, target, _CALLERS, calls * rounds, {"username": None, flag: "false"}), into)
            for _ in range(_GROUPS)
            for flag, into in zip((_OTHER_FLAG, SWITCH), found, strict=True)
        ]
        for _ in range(rounds):
            for each, (times, spent) in groups:
                before = cpu_seconds(pid)
                times.append(each.perform(calls).seconds / (calls * _CALLERS))
                spent.append((cpu_seconds(pid) - before) / (calls * _CALLERS))
            groups.reverse()
        for each, _ in groups:
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
