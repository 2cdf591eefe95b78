"""Where workers come from: what they are, and what holds when that is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil

from gitaly_py.pb.server_pb2 import ServerInfoRequest
from gitaly_py.pb.server_pb2_grpc import ServerServiceStub
from tests.daemon.conftest import NewDaemon
from tests.support.daemon import Daemon, lives
from tests.support.pushes import eventually

NO_FORK = """
import asyncio, os, socket
from gitaly_py.daemon.processes import nursery

fork, forks = os.fork, []

def once():
    forks.append(1)
    if len(forks) > {allowed}:
        raise BlockingIOError(11, "no process to be had")
    return fork()

os.fork = once

async def started():
    ours, theirs = socket.socketpair()
    for _ in range(2):
        try:
            print(await nest.start(nursery.Kind.WORKER, theirs))
        except OSError as error:
            print(error.errno)

nest = nursery.Nursery()
asyncio.run(started())
nest.end()
"""


def nursery_of(daemon: Daemon) -> psutil.Process:
    [found] = daemon.named("gitaly-nursery")
    return found


async def test_workers_share_what_they_have_imported(new_daemon: NewDaemon) -> None:
    daemon = new_daemon(workers=2).start()

    for worker in daemon.workers:
        assert worker.ppid() == daemon.pid
        assert os.getpgid(worker.pid) == worker.pid
        memory = worker.memory_full_info()
        assert memory.uss < memory.rss / 2
    assert daemon.stop() == 0


async def test_a_killed_nursery_is_replaced_when_it_is_needed(new_daemon: NewDaemon) -> None:
    daemon = new_daemon().start()
    former, worker = nursery_of(daemon), daemon.worker
    for place in ("first", "second"):
        former.kill()
        worker.kill()

        await eventually(lambda gone=worker.pid: {each.pid for each in daemon.workers} - {gone} != set())
        worker = daemon.worker
        await daemon.access_entry("ServerInfo", correlation_id=await asked(daemon, place))
        assert not lives(former)
        former = nursery_of(daemon)
    assert daemon.stop() == 0
    assert not lives(former)


async def asked(daemon: Daemon, name: str) -> str:
    """Makes a call with a correlation id, which is returned."""
    metadata = [("x-gitlab-correlation-id", name)]
    await daemon.stub(ServerServiceStub).ServerInfo(
        ServerInfoRequest(), metadata=metadata, wait_for_ready=True, timeout=20
    )
    return name


async def test_signals_of_a_terminal_are_not_for_it(new_daemon: NewDaemon) -> None:
    daemon = new_daemon().start()
    nursery = nursery_of(daemon)

    assert os.getpgid(nursery.pid) == nursery.pid

    daemon.send(signal.SIGINT)
    assert daemon.wait() == 0
    assert not lives(nursery)


def test_a_process_that_can_not_be_forked_is_told_of() -> None:
    for allowed in (1, 2):
        # The first fork is the nursery's own, the second one a worker's parent.
        program = NO_FORK.format(allowed=allowed)
        ran = subprocess.run(
            [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60
        )
        assert (ran.stdout, ran.stderr, ran.returncode) == ("11\n11\n", "", 0)
