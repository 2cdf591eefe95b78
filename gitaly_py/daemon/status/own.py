"""Snapshots of a daemon whose only worker is this process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

import psutil

from gitaly_py import __version__
from gitaly_py.daemon.status.figures import label_of, running_calls
from gitaly_py.daemon.status.snapshot import SlowCall, Snapshot, State, WorkerState
from gitaly_py.daemon.status.storages import StorageWatch
from gitaly_py.limits.state import LimiterState
from gitaly_py.telemetry.metrics import REGISTRY
from gitaly_py.telemetry.slow_calls import SLOW_CALLS

_NUMBER = 0


class OwnStatus:
    """Takes snapshots.

    state, connections, limiters: asked at each of them; connections is their number.
    """

    def __init__(
        self,
        storages: StorageWatch,
        *,
        state: Callable[[], State],
        connections: Callable[[], int],
        limiters: Callable[[], Sequence[LimiterState]] = tuple,
    ) -> None:
        self._storages = storages
        self._state = state
        self._connections = connections
        self._limiters = limiters
        self._process = psutil.Process()

    async def snapshot(self) -> Snapshot:
        """The daemon now."""
        storages = await self._storages.look()
        families = tuple(REGISTRY.collect())
        return Snapshot(
            taken=time.time(),
            version=__version__,
            git_version=label_of(families, "gitlab_build_info", "git_version"),
            families=families,
            workers=(
                WorkerState(
                    number=_NUMBER,
                    pid=os.getpid(),
                    state=self._state(),
                    started=self._process.create_time(),
                    restarts=0,
                    connections=self._connections(),
                    calls=running_calls(families),
                    rss_bytes=self._process.memory_info().rss,
                ),
            ),
            limiters=tuple(self._limiters()),
            storages=storages,
            slow_calls=tuple(SlowCall.of(call, _NUMBER) for call in SLOW_CALLS.slowest()),
        )
