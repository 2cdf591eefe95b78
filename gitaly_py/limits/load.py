"""The load of a control group at a moment (daemon.md 5.3)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Averages:
    """Part of the time that something stalled, in percent, over the last 10, 60 and 300 seconds."""

    avg10: float
    avg60: float
    avg300: float


@dataclass(frozen=True, slots=True)
class Pressure:
    """Stalls for one resource. some: of at least one process; full: of all at once, None where unknown."""

    some: Averages
    full: Averages | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """What a control group and all groups in it use and lack. None stands for what the system doesn't tell.

    path: the group's, below where control groups are mounted. seconds: the moment, on a clock that never
    goes back. memory_bytes, anon_bytes: in use, the latter without caches. limit_bytes: None without a limit.
    under_oom: the kernel looks for memory in vain. throttled_seconds, throttled_count: how long and how often
    its processes were kept from running, since it was made; oom_kills, memory_high_events and
    memory_max_events count since then, too.
    """

    path: str
    seconds: float
    memory_bytes: int | None = None
    anon_bytes: int | None = None
    limit_bytes: int | None = None
    under_oom: bool | None = None
    throttled_seconds: float | None = None
    throttled_count: int | None = None
    memory_pressure: Pressure | None = None
    io_pressure: Pressure | None = None
    cpu_pressure: Pressure | None = None
    oom_kills: int | None = None
    memory_high_events: int | None = None
    memory_max_events: int | None = None
