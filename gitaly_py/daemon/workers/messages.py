"""What supervisor and worker tell each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from prometheus_client import Metric

from gitaly_py.config import Config
from gitaly_py.limits.state import LimiterState
from gitaly_py.telemetry.slow_calls import EndedCall


class Orders(NamedTuple):
    """The first message, to a new worker. With it go the descriptors of the board and of the listeners.

    number: which no other worker of this daemon ever has. place: on the board. supervisor: its process id.
    runtime: the runtime directory. secure: for each listener but the last, which is the internal one, whether
    it speaks TLS. workers: how many there are.
    """

    config: Config
    number: int
    place: int
    supervisor: int
    runtime: str
    secure: Sequence[bool]
    workers: int


class Drain(NamedTuple):
    """To a worker: take no new external connections, and let running calls finish.

    grace: seconds; what runs longer is cut.
    """

    grace: float


class Finish(NamedTuple):
    """To a worker whose external calls have ended: the same for internal ones, then end.

    grace: as in Drain.
    """

    grace: float


class Force(NamedTuple):
    """To a worker that drains: do not wait any longer."""


class Ask(NamedTuple):
    """To a worker: send a Report. number: of the question."""

    number: int


class Failed(NamedTuple):
    """From a worker that can't serve, and ends: why."""

    error: str


class Drained(NamedTuple):
    """From a worker: no external call runs any more. clean: none was cut."""

    clean: bool


class Counted(NamedTuple):
    """From a worker: a repository was made (number is 1) or removed (-1), see `storage.counting`."""

    storage_path: str
    path: str
    number: int


class Report(NamedTuple):
    """From a worker: what it knows of itself.

    number: of the question; 0: nobody asked, for it begins to serve, or ends. families: metrics, without
    what was never counted, unless it begins to serve. limiters: of its own. slow_calls: the
    slowest of late. git_version: of the git it runs.
    """

    number: int
    families: Sequence[Metric]
    connections: int
    calls: int
    rss_bytes: int
    limiters: Sequence[LimiterState]
    slow_calls: Sequence[EndedCall]
    git_version: str
