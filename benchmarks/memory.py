"""Memory of daemon and gateway while ten clones run at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

from benchmarks.clone import NAME, clone, running_gateway
from benchmarks.generator import make_repository
from benchmarks.harness import Row, running_daemon, workspace
from gitaly_py.telemetry.tasks import end_all, spawn

CLONES = 10
ALLOWED = 30.0
"""Growth in MB that is asked for of the daemon's process."""
_INTERVAL = 0.05


class Growth:
    """How much larger a process was at its largest than at the beginning."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._before = self._largest = self._resident()

    @property
    def megabytes(self) -> float:
        return (self._largest - self._before) / 1e6

    def sample(self) -> None:
        self._largest = max(self._largest, self._resident())

    def _resident(self) -> int:
        return int(self._process.memory_info().rss)


async def run(quick: bool) -> list[Row]:
    size = 20 if quick else 300
    with workspace() as root:
        async with running_daemon(root) as daemon:
            make_repository(daemon.storage / NAME, size * 10**6)
            with running_gateway(root, daemon) as gateway:
                server, front = Growth(daemon.worker.pid), Growth(gateway.pid)
                async with _sampled(server, front):
                    await _clones(gateway.url(NAME, user=""), root)
    name = f"memory growth while {CLONES} clones of {size} MB run"
    return [
        Row(f"{name}: daemon", server.megabytes, ALLOWED, "MB", 1.0),
        Row(f"{name}: gateway", front.megabytes, ALLOWED, "MB"),
    ]


async def _clones(url: str, root: Path) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(CLONES):
            group.create_task(clone(url, root / f"clone-{number}.git"))


@asynccontextmanager
async def _sampled(*processes: Growth) -> AsyncIterator[None]:
    async def sample() -> None:
        while True:
            for process in processes:
                process.sample()
            await asyncio.sleep(_INTERVAL)

    tasks: set[asyncio.Task[Any]] = set()
    spawn(sample(), name="sample memory", owner=tasks)
    try:
        yield
    finally:
        await end_all(tasks)
