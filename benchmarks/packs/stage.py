"""What every figure works with: fresh daemons, bare servers, clients, repositories."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import workspace
from benchmarks.packs.client import Load, LoadClient
from benchmarks.packs.measuring import GitProcesses, Tree
from benchmarks.packs.repositories import Repositories, small
from benchmarks.packs.requests import clone, everything
from gitaly_py.config.rpc import DEFAULT_ENGINE
from tests.support.daemon import Daemon
from tests.support.metrics import free_port

_CACHE = """
[pack_objects_cache]
enabled = true
dir = "{}"
max_age = "1h"
min_occurrences = 0
"""
_WARM_UPS = 5


@dataclass(frozen=True)
class Server:
    """A server that is measured. address: for clients, over TCP."""

    address: str
    tree: Tree


@dataclass(frozen=True)
class Served(Server):
    """A daemon whose pack cache is on. unix: its other address. git: the processes that ran for it."""

    unix: str
    storage: Path
    git: GitProcesses


@dataclass(frozen=True)
class Bare(Server):
    """The bare server. size: of its file."""

    size: int


@dataclass(frozen=True)
class Stage:
    """root: a folder for whatever is made. quick: small repositories and few rounds."""

    root: Path
    repositories: Repositories
    client: LoadClient
    quick: bool

    @contextlib.contextmanager
    def daemon(self) -> Iterator[Served]:
        """A daemon with nothing of interest in its caches; what it wrote is gone with it."""
        os.sync()  # what was written before is not to be written while the clock runs
        with workspace() as root:
            port, trace = free_port(), root / "git.trace"
            daemon = Daemon(
                root,
                engine=DEFAULT_ENGINE,
                extra=f'listen_addr = "127.0.0.1:{port}"',
                tables=_CACHE.format(root / "cache"),
                environment={"GIT_TRACE": str(trace)},
                program="benchmarks.packs.daemon",
            )
            git = GitProcesses(trace)
            try:
                daemon.start()
                self._warm_up(f"unix:{daemon.socket}", daemon.storage)
                yield Served(
                    address=f"tcp://127.0.0.1:{port}",
                    unix=f"unix:{daemon.socket}",
                    tree=Tree(daemon.pid),
                    storage=daemon.storage,
                    git=git,
                )
            finally:
                daemon.stop()

    def _warm_up(self, address: str, storage: Path) -> None:
        """Lets a daemon load what it loads once."""
        repo = self.repositories.of(small())
        request = clone(self.repositories.placed(repo, storage), everything(repo))
        self.client.run(Load(address, [request] * _WARM_UPS))

    @contextlib.contextmanager
    def bare(self, path: Path, unix: Path | None = None) -> Iterator[Bare]:
        """A bare server of one file. unix: where to listen instead of TCP."""
        line = [sys.executable, "-m", "benchmarks.packs.reference_server", str(path)]
        line += [str(unix)] if unix else []
        with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                address = process.stdout.readline().strip()
                yield Bare(address, Tree(process.pid), path.stat().st_size)
            finally:
                process.terminate()


@contextlib.contextmanager
def stage(*, quick: bool, keep: Path | None = None, pinned: bool = False) -> Iterator[Stage]:
    """A stage. keep: folder of repositories for this and later runs. pinned: all servers on the first core,
    and the clients on the last, instead of wherever the kernel puts them."""
    cores = sorted(os.sched_getaffinity(0))
    with workspace() as root:
        client = LoadClient(cores[-1] if pinned else None)
        if pinned:
            os.sched_setaffinity(0, {cores[0]})
        try:
            yield Stage(root, Repositories(keep or root / "repositories"), client, quick)
        finally:
            os.sched_setaffinity(0, cores)
            client.close()
