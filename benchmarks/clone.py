"""`git clone` through gateway and daemon against the same clone through git's own `http-backend`."""

from __future__ import annotations

import asyncio
import shutil
import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.generator import make_repository
from benchmarks.harness import Row, running_daemon, seconds_async, workspace
from benchmarks.http_backend import running_http_backend
from tests.support.daemon import Daemon
from tests.support.gateway import Gateway
from tests.support.repositories import ENVIRONMENT, GIT

NAME = "large.git"
ANONYMOUS = "anonymous_read = true"
# The client's disk would drown the difference between the servers.
_UNSYNCED = ("-c", "core.fsync=none")


@dataclass
class Server:
    """A way to the repository. processes: ids of those that serve it, by name, without their git."""

    url: str
    processes: dict[str, int]
    times: list[float] = field(default_factory=list)
    cpu: dict[str, list[float]] = field(default_factory=dict)

    async def measure(self, target: Path) -> None:
        """Clones once."""
        before = self._cpu()
        self.times.append(await seconds_async(lambda: clone(self.url, target)))
        for name, spent in self._cpu().items():
            self.cpu.setdefault(name, []).append(spent - before[name])
        shutil.rmtree(target)

    def _cpu(self) -> dict[str, float]:
        times = {name: psutil.Process(pid).cpu_times() for name, pid in self.processes.items()}
        return {name: spent.user + spent.system for name, spent in times.items()}


async def run(quick: bool) -> list[Row]:
    size, rounds = (20, 3) if quick else (300, 7)
    with workspace() as root:
        async with running_daemon(root) as daemon:
            make_repository(daemon.storage / NAME, size * 10**6)
            with ExitStack() as stack:
                gateway = stack.enter_context(running_gateway(root, daemon))
                pid, url = stack.enter_context(running_http_backend(daemon.storage))
                ours = Server(
                    gateway.url(NAME, user=""), {"gateway": gateway.pid, "daemon": daemon.worker.pid}
                )
                reference = Server(f"{url}/{NAME}", {"http server": pid})
                for _ in range(rounds):
                    for server in (ours, reference):
                        await server.measure(root / "clone.git")
    return list(_rows(size, ours, reference))


def _rows(size: int, ours: Server, reference: Server) -> Iterator[Row]:
    wall = statistics.median(ours.times), statistics.median(reference.times)
    yield Row(f"clone of {size} MB: against git http-backend", *wall, "s", 1.3)
    (compared,) = (_milliseconds(spent) for spent in reference.cpu.values())
    for name, spent in ours.cpu.items():
        yield Row(f"clone of {size} MB: CPU of the {name}", _milliseconds(spent), compared, "ms")


def _milliseconds(spent: Sequence[float]) -> float:
    return statistics.fmean(spent) * 1e3


@contextmanager
def running_gateway(root: Path, daemon: Daemon) -> Iterator[Gateway]:
    """A gateway from which everyone may clone."""
    gateway = Gateway(root / "gateway", daemon, extra=ANONYMOUS).start()
    try:
        yield gateway
    finally:
        gateway.stop()


async def clone(url: str, target: Path) -> None:
    """Clones into `target`, without a checkout, by a git of its own."""
    line = [GIT, *_UNSYNCED, "clone", "--quiet", "--bare", url, str(target)]
    process = await asyncio.create_subprocess_exec(*line, env=ENVIRONMENT)
    if await process.wait() != 0:
        raise RuntimeError(f"git clone {url} failed")
