"""A daemon with some workers, and what its processes cost."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from gitaly_py.config.rpc import DEFAULT_ENGINE
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.metrics import free_port
from tests.support.repositories import Repo

_SCHEDULED = 2  # the clock of a process's processor time, see clock_getcpuclockid(3)
_HTTP_SECONDS = 30


@dataclass(frozen=True)
class Fleet:
    """A running daemon.

    repo: has one commit, `oid`. port: of its metrics and status, which tell what was half a second ago.
    seconds: that its start took.
    """

    daemon: Daemon
    repo: Repo
    oid: str
    port: int
    seconds: float

    @property
    def socket(self) -> str:
        """The path of its unix socket."""
        return str(self.daemon.socket)

    @property
    def processes(self) -> list[psutil.Process]:
        """The supervisor, and the daemon's other processes."""
        return [psutil.Process(self.daemon.pid), *self.daemon.named("gitaly-")]

    @property
    def coordinator(self) -> int:
        """The process id of the one that holds the limiters; 0 while there is none."""
        return next((each.pid for each in self.daemon.named("gitaly-coord")), 0)

    def document(self, name: str) -> dict[str, Any]:
        """What the daemon tells: `status.json` or `limits.json`."""
        address = f"http://127.0.0.1:{self.port}/{name}"
        with urllib.request.urlopen(address, timeout=_HTTP_SECONDS) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def slots(self) -> tuple[int, int]:
        """Callers of all limiters: those that hold a slot, those that wait."""
        keys = [key for limiter in self.document("limits.json")["limiters"] for key in limiter["keys"]]
        return sum(key["running"] for key in keys), sum(key["waiting"] for key in keys)

    def memory(self) -> int:
        """Bytes of all of them that no other process shares."""
        return sum(self.memories().values())

    def memories(self) -> dict[int, int]:
        """The same for each, by its process id."""
        return {process.pid: process.memory_full_info().uss for process in self.processes}


@contextlib.contextmanager
def fleet(*, workers: int, tables: str = "", cores: set[int] | None = None) -> Iterator[Fleet]:
    """A daemon with a repository of one commit.

    tables: TOML that goes to the end of its configuration. cores: the only ones it may use, None for all.
    """
    with tempfile.TemporaryDirectory(prefix="gitaly-benchmark-") as folder:
        port = free_port()
        daemon = Daemon(
            Path(folder),
            engine=DEFAULT_ENGINE,
            extra=f'prometheus_listen_addr = "127.0.0.1:{port}"',
            tables=tables,
            workers=workers,
        )
        repo = repository_in(daemon.storage)
        oid = repo.commit("subject", files={"file": b"content"}, ref="refs/heads/main")
        try:
            since = time.perf_counter()
            with _confined(cores):
                daemon.start()
            yield Fleet(daemon, repo, oid, port, time.perf_counter() - since)
        finally:
            daemon.stop()


def limit(rpc: str, running: int, *, queue: int = 0, wait: str = "0s") -> str:
    """The TOML of a limit. queue: how many may wait, 0 for the default. wait: for how long, 0s for ever."""
    return (
        f'[[concurrency]]\nrpc = "{rpc}"\nmax_concurrency = {running}\n'
        f'max_queue_size = {queue}\nmax_queue_wait = "{wait}"\n'
    )


def cpu_seconds(pid: int) -> float:
    """Processor time of all threads of a process so far, to the nanosecond."""
    return time.clock_gettime((~pid << 3) | _SCHEDULED)


@contextlib.contextmanager
def _confined(cores: set[int] | None) -> Iterator[None]:
    """What is started in the block runs on these cores."""
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores or everywhere)
    try:
        yield
    finally:
        os.sched_setaffinity(0, everywhere)
