"""Reads of single objects and references against an empty RPC.

What is read differs from call to call, so that no answer is at hand. The daemon has the first core and the
client the last, in processes of their own; the RPCs take turns, so that noise meets all of them alike.

Clients cost next to nothing, so that what is measured is the daemon. A round trip as callers see it is one of
grpcio's, whose core is that of Ruby's client, too; the other one shows more of the daemon.
"""

from __future__ import annotations

import itertools
import os
import select
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from statistics import median

import grpc
from grpc.experimental import ChannelOptions

from benchmarks.harness import Row
from benchmarks.operations.fleet import cpu_seconds
from benchmarks.reading.history import path_of
from benchmarks.reading.stage import Question, Stage
from benchmarks.rpc.connection import Broken, Connection, ended
from benchmarks.rpc.metadata import Metadata, block_maker, for_grpcio
from gitaly_py.rpc.methods import methods

CALLERS = 32
EMPTY = "empty"

_DIFFERENT = 512
"""Requests of each RPC."""
_WARM_UP = 10

_MOST_CPU, _MOST_TURN, _MOST_BUSY = 2.0, 1.5, 2.0


def figures(stage: Stage, quick: bool) -> Iterator[Row]:
    """CPU and round trip of each RPC against an empty one, alone and with many callers."""
    turns, calls, rounds = (60, 10, 3) if quick else (1500, 40, 15)
    questions = point_reads(stage)
    with _separated(stage):
        alone = _round_trips(stage, questions, turns, Caller)
        library = _round_trips(stage, questions, turns, LibraryCaller)
        busy = _loads(stage, questions, calls, rounds)
    for name in questions:
        if name == EMPTY:
            continue
        (time_, cpu), (empty_time, empty_cpu) = busy[name], busy[EMPTY]
        yield Row(f"{name}: CPU a call", cpu * 1e6, empty_cpu * 1e6, "µs", _MOST_CPU)
        yield Row(f"{name}: round trip", library[name] * 1e6, library[EMPTY] * 1e6, "µs", _MOST_TURN)
        yield Row(f"  {name}: of a client without cost", alone[name] * 1e6, alone[EMPTY] * 1e6, "µs")
        yield Row(f"{name}: time a call, {CALLERS} callers", time_ * 1e6, empty_time * 1e6, "µs", _MOST_BUSY)


def point_reads(stage: Stage) -> dict[str, list[Question]]:
    """Requests by RPC; of the empty one they are all alike."""
    repo, shape = stage.repo, stage.shape
    commits = repo.git("rev-list", f"--max-count={_DIFFERENT}", "main").split()
    tree = repo.git("ls-tree", "-r", "main:src").splitlines()[:_DIFFERENT]
    blobs = [line.split()[2] for line in tree]
    branches = [number * 7 % shape.branches for number in range(_DIFFERENT)]
    tags = [number * 3 % shape.tags for number in range(_DIFFERENT)]
    files = [number * 11 % shape.files for number in range(_DIFFERENT)]
    return {
        EMPTY: [Question("/grpc.health.v1.Health/Check", b"")] * _DIFFERENT,
        "FindCommit": [stage.question("CommitService/FindCommit", revision=oid.encode()) for oid in commits],
        "TreeEntry": [
            stage.question("CommitService/TreeEntry", revision=b"main", path=path_of(number))
            for number in files
        ],
        "GetBlob": [stage.question("BlobService/GetBlob", oid=oid, limit=-1) for oid in blobs],
        "RefExists": [
            stage.question("RefService/RefExists", ref=b"refs/heads/feature/%06d" % number)
            for number in branches
        ],
        "FindBranch": [
            stage.question("RefService/FindBranch", name=b"feature/%06d" % number) for number in branches
        ],
        "FindTag": [stage.question("RefService/FindTag", tag_name=b"v%05d" % number) for number in tags],
    }


class _separated:  # noqa: N801 - reads as a sentence
    """The daemon's worker stays on the first core, this process on the last, within the block."""

    def __init__(self, stage: Stage) -> None:
        self._worker = stage.daemon.worker.pid

    def __enter__(self) -> None:
        self._everywhere = os.sched_getaffinity(0)
        cores = sorted(self._everywhere)
        os.sched_setaffinity(self._worker, {cores[0]})
        os.sched_setaffinity(0, {cores[-1]})

    def __exit__(self, *_: object) -> None:
        os.sched_setaffinity(self._worker, self._everywhere)
        os.sched_setaffinity(0, self._everywhere)


class Caller:
    """A connection whose calls are prepared, in order."""

    def __init__(self, opened: ExitStack, socket: str, questions: list[Question], count: int) -> None:
        self.connection = opened.enter_context(closing(Connection(socket)))
        self.connection.settle()
        make_block = block_maker(questions[0].path, Metadata.CORE, self.connection.table_size)
        chosen = itertools.islice(itertools.cycle(questions), count)
        self._count = count
        self._prepared = iter(
            [self.connection.requests(1, make_block, question.message)[0] for question in chosen]
        )

    def send(self) -> None:
        """Begins the next call."""
        self.connection.send(next(self._prepared))

    def call(self) -> None:
        """Makes the next call."""
        self.send()
        while not ended(self.connection.receive()):
            pass

    def verify(self) -> None:
        """Raises Broken unless every call was made and has succeeded."""
        self.connection.verify(self._count)


class LibraryCaller:
    """The same by grpcio."""

    def __init__(self, opened: ExitStack, socket: str, questions: list[Question], count: int) -> None:
        # Channels to one address share a connection unless they are told not to. Streams are read by the
        # thread that asks for them, as Ruby does it, not by one of their own that has to be woken.
        options = [("grpc.use_local_subchannel_pool", 1), (ChannelOptions.SingleThreadedUnaryStream, 1)]
        channel = opened.enter_context(grpc.insecure_channel(f"unix:{socket}", options=options))
        method = methods().get(questions[0].path)
        make = channel.unary_stream if method and method.server_streaming else channel.unary_unary
        self._stub = make(questions[0].path)
        self._messages = itertools.cycle([question.message for question in questions])
        self._left = count

    def call(self) -> None:
        """Makes the next call. Raises grpc.RpcError."""
        self._left -= 1
        answer = self._stub(next(self._messages), metadata=for_grpcio(Metadata.CORE))
        if not isinstance(answer, bytes):
            for _ in answer:
                pass

    def verify(self) -> None:
        """Raises Broken unless every call was made."""
        if self._left:
            raise Broken(f"{self._left} calls were not made")


def _round_trips(
    stage: Stage, questions: dict[str, list[Question]], turns: int, kind: type[Caller | LibraryCaller]
) -> dict[str, float]:
    """Median seconds of a call of each RPC, which take turns call by call."""
    times: dict[str, list[float]] = {name: [] for name in questions}
    with ExitStack() as opened:
        callers = {
            name: kind(opened, stage.socket, asked, _WARM_UP + turns) for name, asked in questions.items()
        }
        for _ in range(_WARM_UP + turns):
            for name, caller in callers.items():
                since = time.perf_counter()
                caller.call()
                times[name].append(time.perf_counter() - since)
        for caller in callers.values():
            caller.verify()
    return {name: median(found[_WARM_UP:]) for name, found in times.items()}


def _loads(
    stage: Stage, questions: dict[str, list[Question]], calls: int, rounds: int
) -> dict[str, tuple[float, float]]:
    """Median seconds of wall time and of the worker's processor time that a call of each RPC takes."""
    worker = stage.daemon.worker.pid
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in questions}
    with ExitStack() as opened:
        groups = {
            name: [
                Caller(opened, stage.socket, asked[number:] + asked[:number], calls * (rounds + 1))
                for number in range(CALLERS)
            ]
            for name, asked in questions.items()
        }
        for callers in groups.values():
            _drive(callers, calls)
        for _ in range(rounds):
            for name, callers in groups.items():
                spent, since = cpu_seconds(worker), time.perf_counter()
                _drive(callers, calls)
                made = calls * CALLERS
                found[name][0].append((time.perf_counter() - since) / made)
                found[name][1].append((cpu_seconds(worker) - spent) / made)
        for callers in groups.values():
            for caller in callers:
                caller.verify()
    return {name: (median(times), median(spent)) for name, (times, spent) in found.items()}


def _drive(callers: list[Caller], calls: int) -> None:
    """Lets each caller make so many calls, one after the other."""
    by_descriptor = {caller.connection.socket.fileno(): caller for caller in callers}
    left = dict.fromkeys(by_descriptor, calls)
    with select.epoll() as epoll:
        for descriptor, caller in by_descriptor.items():
            epoll.register(descriptor, select.EPOLLIN)
            caller.send()
        while left:
            for descriptor, _ in epoll.poll():
                caller = by_descriptor[descriptor]
                if not ended(caller.connection.receive()):
                    continue
                left[descriptor] -= 1
                if left[descriptor]:
                    caller.send()
                else:
                    del left[descriptor]
