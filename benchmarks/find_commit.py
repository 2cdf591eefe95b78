"""FindCommit against an empty RPC (a health check) on the same server.

Round trips of one caller alternate call by call, as those of a Rails app do: a server that answers the
same call again and again has its code in the processor's caches. The other rows are such runs.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Awaitable, Callable

from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from benchmarks.harness import Row, medians, running_daemon, seconds_async, workspace
from gitaly_py.pb.commit_pb2 import FindCommitRequest
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in

DETAILED = True


async def run(quick: bool) -> list[Row]:
    calls, rounds = (300, 3) if quick else (3000, 7)
    with workspace() as root:
        async with running_daemon(root) as daemon:
            repo = repository_in(daemon.storage)
            oid = repo.commit("subject", files={"file": b"content"}, ref="refs/heads/main")
            find, health = daemon.stub(CommitServiceStub), daemon.stub(HealthStub)
            by_oid = FindCommitRequest(repository=repo.message, revision=oid.encode())
            by_name = FindCommitRequest(repository=repo.message, revision=b"main")
            works = {
                "health": lambda: health.Check(HealthCheckRequest()),
                "FindCommit by id": lambda: find.FindCommit(by_oid),
                "FindCommit by name": lambda: find.FindCommit(by_name),
            }
            one = await _alternating(list(works.values()), calls)
            many = await medians(rounds, *(_at_once(call, calls) for call in works.values()))
            cpu = [await _cpu(daemon, _at_once(call, calls * rounds)) for call in works.values()]
    rows = []
    for name, turn, busy, spent in list(zip(works, one, many, cpu, strict=True))[1:]:
        rows.append(Row(f"{name}: round trip, one caller", turn * 1e6, one[0] * 1e6, "µs", 1.5))
        rows.append(
            Row(f"{name}: time a call, 32 callers", busy / calls * 1e6, many[0] / calls * 1e6, "µs", 1.5)
        )
        total = calls * rounds
        rows.append(Row(f"{name}: server CPU a call", spent / total * 1e6, cpu[0] / total * 1e6, "µs", 1.5))
    return rows


async def _alternating(calls: list[Callable[[], Awaitable[object]]], count: int) -> list[float]:
    """Median seconds of each call."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(count):
        for call, found in zip(calls, times, strict=True):
            found.append(await seconds_async(call))
    return [statistics.median(found) for found in times]


def _in_turn(call: Callable[[], Awaitable[object]], count: int) -> Callable[[], Awaitable[None]]:
    async def work() -> None:
        for _ in range(count):
            await call()

    return work


def _at_once(
    call: Callable[[], Awaitable[object]], count: int, callers: int = 32
) -> Callable[[], Awaitable[None]]:
    async def work() -> None:
        await asyncio.gather(*(_in_turn(call, count // callers)() for _ in range(callers)))

    return work


async def _cpu(daemon: Daemon, work: Callable[[], Awaitable[None]]) -> float:
    process = daemon.worker
    before = process.cpu_times()
    await work()
    after = process.cpu_times()
    return after.user + after.system - before.user - before.system
