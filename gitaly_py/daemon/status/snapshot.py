"""What the status page is made of: the whole daemon at a moment, over all its workers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from prometheus_client import Metric

from gitaly_py.limits.state import LimiterState
from gitaly_py.telemetry.slow_calls import EndedCall

State = Literal["starting", "serving", "draining"]


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A process that serves calls.

    started: Unix seconds. restarts: of this number, since the daemon started. calls: running now.
    """

    number: int
    pid: int
    state: State
    started: float
    restarts: int
    connections: int
    calls: int
    rss_bytes: int


@dataclass(frozen=True, slots=True)
class SlowCall:
    """A call that has ended; as EndedCall has it. worker: its number."""

    method: str
    repository: str
    seconds: float
    code: str
    correlation_id: str
    ended: float
    worker: int

    @classmethod
    def of(cls, call: EndedCall, worker: int) -> SlowCall:
        """A call that `worker` has served."""
        return cls(
            call.method,
            call.repository,
            call.seconds,
            call.code,
            call.correlation_id,
            call.ended,
            worker,
        )


@dataclass(frozen=True, slots=True)
class StorageState:
    """A storage. used, available: bytes of its file system, None when it does not say."""

    name: str
    path: str
    used: int | None
    available: int | None
    readable: bool
    writable: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The daemon at a moment.

    taken: Unix seconds. git_version: empty until it is known. families: of prometheus_client, each name once,
    summed over the workers. slow_calls: slowest first.
    """

    taken: float
    version: str
    git_version: str
    families: Sequence[Metric]
    workers: Sequence[WorkerState]
    limiters: Sequence[LimiterState]
    storages: Sequence[StorageState]
    slow_calls: Sequence[SlowCall]


Source: TypeAlias = Callable[[], Awaitable[Snapshot]]
"""Takes a snapshot."""
