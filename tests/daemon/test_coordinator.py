"""What workers share, while the process that holds it is killed and replaced."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from grpc import StatusCode

from gitaly_py.pb.ref_pb2 import RefExistsRequest
from gitaly_py.pb.ref_pb2_grpc import RefServiceStub
from tests.daemon.conftest import NewDaemon
from tests.daemon.test_shared_packs import begun, cloned, clones_of, large, slow
from tests.daemon.test_workers import LIMITED, connection, holding, metrics_port, one_of_each
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.metrics import metrics_when
from tests.support.pushes import eventually
from tests.support.repositories import Repo

__all__ = ["slow"]

MANY = """
[[concurrency]]
rpc = "/gitaly.RefService/RefExists"
max_concurrency = 100
"""


def coordinator(daemon: Daemon) -> psutil.Process:
    [found] = daemon.named("gitaly-coord")
    return found


async def replaced(daemon: Daemon) -> None:
    """Kills the coordinator, and waits until there is another."""
    former = coordinator(daemon)
    former.kill()

    def is_other() -> bool:
        with contextlib.suppress(ValueError):
            return coordinator(daemon).pid != former.pid
        return False

    await eventually(is_other)


def limiters(port: int) -> dict[str, tuple[int, int, int]]:
    """The limit of each limiter, and how many hold and wait for a slot."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/limits.json", timeout=10) as answer:
        found = json.load(answer)["limiters"]
    return {
        each["name"]: (
            each["limit"],
            sum(key["running"] for key in each["keys"]),
            sum(key["waiting"] for key in each["keys"]),
        )
        for each in found
    }


@pytest.fixture
def limited(new_daemon: NewDaemon) -> Iterator[tuple[Daemon, int, Repo]]:
    """Two workers with a limit of one and a queue of one, its metrics, and a repository."""
    with metrics_port(new_daemon, tables=LIMITED) as (daemon, port):
        repo = repository_in(daemon.storage)
        repo.history(1, "refs/heads/main")
        yield daemon, port, repo


async def test_slots_and_places_in_line_outlive_the_coordinator(limited: tuple[Daemon, int, Repo]) -> None:
    daemon, port, repo = limited
    async with one_of_each(daemon) as channels:
        first, second = channels.values()
        running = await holding(first, repo)
        assert (await running.read()).stdout
        waiting = await holding(second, repo)
        reading = asyncio.ensure_future(waiting.read())
        await until_shown(port, (1, 1, 1))

        await replaced(daemon)

        await until_shown(port, (1, 1, 1))
        # By its status: a read that finds the call over already may as well find its end.
        refused = await holding(first, repo)
        assert await refused.code() is StatusCode.RESOURCE_EXHAUSTED
        assert await refused.details() == "maximum queue size reached"
        assert not reading.done()
        running.cancel()
        assert (await asyncio.wait_for(reading, 20)).stdout
        waiting.cancel()
        await until_shown(port, (1, 0, 0))
    await metrics_when(port, lambda found: found.value("gitaly_coordinator_restarts_total") == 1)
    [entry] = [entry for entry in daemon.log_entries() if entry["msg"] == "coordinator ended"]
    assert entry["status"] == "SIGKILL"
    assert daemon.stop() == 0


async def test_who_comes_while_there_is_no_coordinator_takes_nobodys_place(
    limited: tuple[Daemon, int, Repo],
) -> None:
    daemon, port, repo = limited
    async with one_of_each(daemon) as channels:
        first, second = channels.values()
        running = await holding(first, repo)
        assert (await running.read()).stdout
        for waits, comes in ((second, first), (first, second)):
            waiting = await holding(waits, repo)
            reading = asyncio.ensure_future(waiting.read())
            await until_shown(port, (1, 1, 1))

            # Nobody starts another one meanwhile.
            daemon.send(signal.SIGSTOP)
            coordinator(daemon).kill()
            refused = await holding(comes, repo)
            await asyncio.sleep(0.2)
            daemon.send(signal.SIGCONT)

            assert await asyncio.wait_for(refused.code(), 20) is StatusCode.RESOURCE_EXHAUSTED
            assert not reading.done()
            waiting.cancel()
            await asyncio.wait([reading])
            await until_shown(port, (1, 1, 0))
        running.cancel()
    assert daemon.stop() == 0


async def until_shown(port: int, expected: tuple[int, int, int]) -> None:
    name = "perRPC/gitaly.SSHService/SSHUploadPack"
    async with asyncio.timeout(20):
        while limiters(port).get(name) != expected:
            await asyncio.sleep(0.05)


async def test_a_slot_of_a_worker_that_is_killed_meanwhile_is_free(
    limited: tuple[Daemon, int, Repo],
) -> None:
    daemon, port, repo = limited
    async with one_of_each(daemon) as channels:
        (victim, first), (_, second) = channels.items()
        running = await holding(first, repo)
        assert (await running.read()).stdout

        coordinator(daemon).suspend()
        waiting = await holding(second, repo)
        psutil.Process(victim).kill()
        await replaced(daemon)

        assert (await asyncio.wait_for(waiting.read(), 20)).stdout
        waiting.cancel()
        await until_shown(port, (1, 0, 0))


async def test_a_worker_that_hangs_does_not_keep_the_others_waiting(
    limited: tuple[Daemon, int, Repo],
) -> None:
    daemon, _, repo = limited
    async with one_of_each(daemon) as channels:
        (hanging, _), (_, second) = channels.items()
        psutil.Process(hanging).suspend()
        try:
            await replaced(daemon)

            served = await holding(second, repo)
            assert (await asyncio.wait_for(served.read(), 20)).stdout
            served.cancel()
            texts = [entry for entry in daemon.log_entries() if "say what they hold" in entry["msg"]]
            assert [entry["workers"] for entry in texts] == [1]
        finally:
            psutil.Process(hanging).resume()


async def test_what_is_shown_does_not_wait_for_a_coordinator_that_hangs(
    limited: tuple[Daemon, int, Repo],
) -> None:
    daemon, port, _ = limited
    assert limiters(port) != {}
    coordinator(daemon).suspend()
    try:
        # What was seen half a second ago is shown again.
        await eventually(lambda: limiters(port) == {})
    finally:
        coordinator(daemon).resume()
    await eventually(lambda: limiters(port) != {})
    assert daemon.stop() == 0


async def test_no_call_fails_while_coordinators_come_and_go(new_daemon: NewDaemon) -> None:
    daemon = new_daemon(workers=2, tables=MANY).start()
    repo = repository_in(daemon.storage)
    repo.history(1, "refs/heads/main")
    request = RefExistsRequest(repository=repo.message, ref=b"refs/heads/main")
    stopping = asyncio.Event()

    async def calling() -> int:
        calls = 0
        async with connection(daemon) as channel:
            while not stopping.is_set():
                assert (await RefServiceStub(channel).RefExists(request)).value
                calls += 1
        return calls

    callers = [asyncio.create_task(calling()) for _ in range(4)]
    for _ in range(4):
        await asyncio.sleep(0.1)
        await replaced(daemon)
    stopping.set()

    assert all(calls > 4 for calls in await asyncio.gather(*callers))
    assert daemon.stop() == 0


async def test_workers_go_on_reading_what_others_make(slow: Daemon, tmp_path: Path) -> None:
    repo, oid = large(slow)
    async with one_of_each(slow) as channels:
        _, second = channels.values()
        making, following = await clones_of(channels.values(), repo, oid, tmp_path)

        await replaced(slow)
        late = asyncio.create_task(cloned(second, repo, oid))
        await asyncio.sleep(0.3)
        (tmp_path / "go").touch()

        answers = await asyncio.gather(making, following, late)
        await replaced(slow)
        answers += [await cloned(channel, repo, oid) for channel in channels.values()]
    assert len(set(answers)) == 1
    assert answers[0].endswith(b"0000")
    assert begun(tmp_path) == 1
    assert slow.stop() == 0
