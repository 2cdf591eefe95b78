"""Which processes of a daemon come before others (nice values are those of threads)."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from gitaly_py.pb.repository_pb2 import RepositorySizeRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from tests.daemon.conftest import NewDaemon
from tests.support.fixtures import repository_in
from tests.support.priority import USUAL, first, in_a_thread, nice


def threads(process: psutil.Process) -> dict[str, int]:
    """The nice values of a process's threads, by id."""
    tasks = Path(f"/proc/{process.pid}/task").iterdir()
    return {f"{task.name} {(task / 'comm').read_text().strip()}": nice(int(task.name)) for task in tasks}


async def test_workers_and_the_coordinator_come_first_with_their_threads(
    new_daemon: NewDaemon, engine: str
) -> None:
    daemon = new_daemon(workers=2).start()
    repo = repository_in(daemon.storage)
    # The size is added up in a thread.
    await RepositoryServiceStub(daemon.channel).RepositorySize(RepositorySizeRequest(repository=repo.message))

    ahead = [*daemon.workers, *daemon.named("gitaly-coord")]
    assert len(ahead) == 3
    assert max(len(threads(worker)) for worker in daemon.workers) > 1
    for process in ahead:
        assert nice(process.pid) == first()
        # grpcio begins threads of its own, which do not ask.
        if engine == "native":
            assert set(threads(process).values()) == {first()}, threads(process)
    assert nice(daemon.pid) == USUAL


def test_a_daemon_with_a_nice_value_of_its_own_keeps_it(new_daemon: NewDaemon) -> None:
    daemon = new_daemon()

    def start() -> None:
        os.setpriority(os.PRIO_PROCESS, 0, USUAL + 3)
        daemon.start()

    in_a_thread(start)

    assert nice(daemon.pid) == nice(daemon.worker.pid) == USUAL + 3
