"""What the coordinator is told and tells, beside the messages of `limits` and `packs.leases`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gitaly_py.config.logs import Logging
from gitaly_py.daemon.processes.link import quick
from gitaly_py.limits.desk import Acquire, Dropped, Entered, Leave, Queued, Settings
from gitaly_py.limits.state import LimiterState

quick(Acquire, Leave, Queued, Entered, Dropped)


class Orders(NamedTuple):
    """The supervisor's first message. With it goes the descriptor of the listener for workers.

    limits: of each limiter. expected: workers that were there before this coordinator.
    """

    logging: Logging
    limits: Mapping[str, Settings]
    expected: int


class Apply(NamedTuple):
    """From the supervisor: the limits that there are from here on."""

    limits: Mapping[str, Settings]


class Resize(NamedTuple):
    """From the supervisor: another limit for one limiter."""

    limiter: str
    limit: int


class Ask(NamedTuple):
    """From the supervisor: send States. number: of the question."""

    number: int


class States(NamedTuple):
    """To the supervisor: every limiter now. number: of the question."""

    number: int
    limiters: Sequence[LimiterState]


class Resumed(NamedTuple):
    """From a worker: all that it holds has been said. again: it was connected to a former coordinator."""

    again: bool
