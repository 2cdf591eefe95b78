"""Point reads while eight heavy streams run, against the same reads while the daemon is idle.

The streams are taken by processes of their own, over and over: a walk, a diff, a blame and a listing, two of
each. What is looked at is the slowest hundredth of the reads.

Clients are on other machines. So those that take streams are not to keep the processors from the daemon, and
its git is not to keep them from the one that reads: they have the lowest priority, and it has a real-time one
where that is allowed. A second row tells how long reads take when it waits for a processor like all others.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import quantiles

from benchmarks.harness import Row
from benchmarks.reading.points import EMPTY, Caller, point_reads
from benchmarks.reading.stage import Question, Stage
from benchmarks.reading.streams import drained, pairs

_MOST = 5.0
_HEAVY = ("ListCommits", "CommitDiff", "RawBlame", "GetTreeEntries")
_OF_EACH = 2
_PAUSE = 0.002
"""Seconds between two reads: a caller that waits for its answers, not a load."""


def figures(stage: Stage, quick: bool) -> Iterator[Row]:
    """The p99 of each point read."""
    count = 200 if quick else 2000
    questions = {name: asked for name, asked in point_reads(stage).items() if name != EMPTY}
    with _at_once():
        idle = _latencies(stage, questions, count)
    idle_waiting = _latencies(stage, questions, count)
    heavy = [pair.question for name, pair in pairs(stage).items() if name.startswith(_HEAVY)]
    with _Streams(stage.socket, heavy * _OF_EACH):
        with _at_once():
            beside = _latencies(stage, questions, count)
        waiting = _latencies(stage, questions, count)
    for name in questions:
        slow, usual = _percentile(beside[name]), _percentile(idle[name])
        yield Row(f"{name} beside {len(heavy) * _OF_EACH} streams: p99", slow * 1e3, usual * 1e3, "ms", _MOST)
        slow, usual = _percentile(waiting[name]), _percentile(idle_waiting[name])
        yield Row("  of a client that waits for a processor", slow * 1e3, usual * 1e3, "ms")


@contextmanager
def _at_once() -> Iterator[None]:
    """This process gets a processor whenever it wants one, if that is allowed."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except PermissionError:
        yield
        return
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def _latencies(stage: Stage, questions: dict[str, list[Question]], count: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in questions}
    with ExitStack() as opened:
        callers = {name: Caller(opened, stage.socket, asked, count) for name, asked in questions.items()}
        for _ in range(count):
            for name, caller in callers.items():
                time.sleep(_PAUSE)
                since = time.perf_counter()
                caller.call()
                found[name].append(time.perf_counter() - since)
        for caller in callers.values():
            caller.verify()
    return found


def _percentile(times: list[float]) -> float:
    return quantiles(times, n=100)[98]


class _Streams:
    """Processes that take one stream after the other within the block."""

    def __init__(self, socket: str, questions: list[Question]) -> None:
        context = multiprocessing.get_context("spawn")
        self._processes = [
            context.Process(target=_over_and_over, args=(socket, question), daemon=True)
            for question in questions
        ]

    def __enter__(self) -> None:
        for process in self._processes:
            process.start()
        # Until each has begun.
        time.sleep(2)

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.terminate()
            process.join()


def _over_and_over(socket: str, question: Question) -> None:
    # Clients are on other machines: these must not take the processors from the daemon.
    os.nice(19)
    while True:
        drained(socket, question)
