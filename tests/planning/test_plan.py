"""A log of a real daemon with limits, replayed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gitaly_py.pb.smarthttp_pb2 import PostUploadPackWithSidechannelRequest
from gitaly_py.transport.client import ClientSidechannel, MultiplexedConnection
from tests.support.access_log import FETCH
from tests.support.commands import gitaly_py
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.repositories import Repo
from tests.support.smarthttp import fetch_with, sending, wants

SECONDS = 0.4
"""Between any two things that happen, so that a machine which is late changes nothing."""

LIMITS = f"""
[[concurrency]]
rpc = "{FETCH}"
max_concurrency = 1
max_queue_size = 2
max_queue_wait = "{int(7 * SECONDS * 1000)}ms"
"""


class Clients:
    """Fetches of one repository that begin when they are told to, and end, too."""

    def __init__(self, connection: MultiplexedConnection, repo: Repo) -> None:
        self._connection = connection
        self._repo = repo
        self._over: list[asyncio.Event] = []
        self._calls: list[asyncio.Task[Any]] = []

    async def come(self) -> int:
        """One comes; its number."""
        over = asyncio.Event()
        clone = wants(self._repo.git("rev-parse", "main"))

        async def talk(channel: ClientSidechannel) -> bytes:
            await over.wait()
            return await sending(clone)(channel)

        request = PostUploadPackWithSidechannelRequest(repository=self._repo.message)
        fetch = fetch_with(self._connection, request, talk, ("username", "rosa"))
        self._calls.append(asyncio.ensure_future(fetch))
        self._over.append(over)
        await asyncio.sleep(SECONDS)
        return len(self._calls) - 1

    async def go(self, number: int) -> None:
        """One goes, as soon as it is its turn."""
        self._over[number].set()
        await asyncio.sleep(SECONDS)

    async def all_gone(self) -> None:
        for over in self._over:
            over.set()
        await asyncio.gather(*self._calls)


async def contend(clients: Clients) -> None:
    """One runs; two wait, of whom the newest goes first; one finds no place, and one waits for too long."""
    first = await clients.come()
    second, third = await clients.come(), await clients.come()
    await clients.come()
    for each in (first, third, second):
        await clients.go(each)
    last = await clients.come()
    await clients.come()
    await asyncio.sleep(8 * SECONDS)
    await clients.go(last)
    await clients.all_gone()


def replayed(daemon: Daemon, *args: str) -> dict[str, Any]:
    outcome = gitaly_py("limits", "plan", "--log", str(daemon.log), "--json", *args)
    assert outcome.status == 0
    found: dict[str, Any] = json.loads(outcome.stdout)
    (limiter,) = found["limiters"]
    assert limiter["name"] == f"perRPC{FETCH}"
    return {**limiter, "estimated": found["estimated"]}


COUNTS = ("calls", "admitted", "rejected", "peak_running", "peak_waiting", "peaks_of_one_key")


@pytest.mark.parametrize("form", ["json", "text"])
async def test_the_limits_of_a_daemon_do_again_what_its_log_says(
    tmp_path: Path, engine: str, form: str
) -> None:
    daemon = Daemon(tmp_path, engine=engine, tables=LIMITS)
    daemon.config.write_text(daemon.config.read_text().replace('format = "json"', f'format = "{form}"'))
    daemon.start()
    try:
        repo = repository_in(daemon.storage)
        repo.history(2, "refs/heads/main")
        async with await MultiplexedConnection.dial(f"unix:{daemon.socket}") as connection:
            await contend(Clients(connection, repo))
    finally:
        daemon.stop()

    same = await asyncio.to_thread(replayed, daemon, "--config", str(daemon.config))
    more = await asyncio.to_thread(replayed, daemon, "--what-if", f"{FETCH}=3")

    recorded, simulated = same["recorded"], same["simulated"]
    # On a busy machine the last one may meet the slot of the one before.
    assert recorded["delayed"] >= 3
    assert {name: recorded[name] for name in COUNTS} == {
        "calls": 6,
        "admitted": 4,
        "rejected": {"max_size": 1, "max_time": 1},
        "peak_running": 1,
        "peak_waiting": 2,
        "peaks_of_one_key": {"running": 1, "waiting": 2},
    }
    assert {name: simulated[name] for name in COUNTS} == {name: recorded[name] for name in COUNTS}
    # The queue is left before the call begins, and the log is of milliseconds.
    assert simulated["wait"] == pytest.approx(recorded["wait"], abs=SECONDS / 4)
    assert (more["simulated"]["rejected"], more["simulated"]["admitted"], more["estimated"]) == ({}, 6, 2)
