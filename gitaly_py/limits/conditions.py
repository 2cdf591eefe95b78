"""What counts as overload (daemon.md 5.3). A condition looks at one load after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import structlog

from gitaly_py.config import limits as config
from gitaly_py.limits.load import Load, Pressure

_log = structlog.get_logger("gitaly")

Resource = Literal["memory", "io", "cpu"]


@dataclass(frozen=True, slots=True)
class Event:
    """A reason to shrink limits.

    condition: the name of what saw it, a metric label. reason: which of its cases. stats: the facts, for the
    log.
    """

    condition: str
    reason: str
    stats: Mapping[str, float | str]


class Condition(Protocol):
    """Watches loads."""

    @property
    def name(self) -> str:
        """A metric label."""

    def check(self, load: Load) -> Event | None:
        """The event, if this load is too much. Call it once for every load, in their order."""


def conditions(settings: config.AdaptiveLimiting) -> list[Condition]:
    """Those that the configuration asks for."""
    psi = settings.psi_pressure
    watched: tuple[tuple[Resource, config.Pressure], ...] = (
        ("memory", psi.memory),
        ("io", psi.io),
        ("cpu", psi.cpu),
    )
    return [
        CgroupCpu(settings.cpu_throttled_threshold),
        CgroupMemory(settings.memory_threshold),
        *(CgroupPressure(resource, pressure) for resource, pressure in watched if pressure.enabled),
    ]


class CgroupCpu:
    """Too great a part of the time since the last load was spent throttled. threshold: that part."""

    name = "CgroupCpu"

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._last: Load | None = None

    def check(self, load: Load) -> Event | None:
        """See Condition. A counter that went back, as that of a new group does, tells nothing."""
        last, self._last = self._last, load
        if last is None or last.throttled_seconds is None or load.throttled_seconds is None:
            return None
        passed = load.seconds - last.seconds
        throttled = load.throttled_seconds - last.throttled_seconds
        if passed <= 0 or throttled / passed <= self._threshold:
            return None
        return Event(
            self.name,
            "condition_cpu_throttled",
            {
                "time_diff": passed,
                "throttled_duration": throttled,
                "throttled_threshold": self._threshold,
            },
        )


class CgroupMemory:
    """Memory runs out. threshold: part of the limit that may be in use, caches aside."""

    name = "CgroupMemory"

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold

    def check(self, load: Load) -> Event | None:
        """See Condition."""
        if load.under_oom:
            return Event(self.name, "condition_memory_oom", {"under_oom": True})
        if not load.limit_bytes or load.anon_bytes is None:
            return None
        if load.anon_bytes / load.limit_bytes < self._threshold:
            return None
        return Event(
            self.name,
            "condition_memory_anon",
            {
                "memory_anon": load.anon_bytes,
                "memory_limit": load.limit_bytes,
                "memory_threshold": self._threshold,
            },
        )


class CgroupPressure:
    """Processes stall for one resource. Pressure that is not yet a reason to shrink limits is only logged."""

    name = "CgroupPressure"

    def __init__(self, resource: Resource, settings: config.Pressure) -> None:
        self._resource = resource
        self._settings = settings
        self._levels = (
            ("critical", settings.critical_threshold),
            ("backoff", settings.backoff_threshold),
            ("warning", settings.warning_threshold),
        )
        self._since: float | None = None

    def check(self, load: Load) -> Event | None:
        """See Condition."""
        pressure = _pressures(load)[self._resource]
        if pressure is None:
            return None
        some = pressure.some
        reached = ((level, least) for level, least in self._levels if some.avg60 >= least)
        level, threshold = next(reached, ("", 0.0))
        if not level:
            self._since = None
            return None
        averages = {"avg10": some.avg10, "avg60": some.avg60, "avg300": some.avg300}
        self._report(level, load, averages)
        if level == "warning":
            return None
        stats = {"resource": self._resource, **averages, "threshold": threshold}
        return Event(self.name, f"condition_psi_{level}", stats)

    def _report(self, level: str, load: Load, averages: Mapping[str, float]) -> None:
        """Logs it, and whether it lasts, or falls already: for the reader, as neither decides anything."""
        self._since = load.seconds if self._since is None else self._since
        log = _log.error if level == "critical" else _log.warning
        log(
            f"control group under {level} pressure",
            path=load.path,
            resource=self._resource,
            **averages,
            sustained=load.seconds - self._since >= self._settings.sustain_duration_seconds,
            falling=averages["avg10"] < self._settings.fast_fall_ratio * averages["avg60"],
        )


def _pressures(load: Load) -> Mapping[Resource, Pressure | None]:
    return {"memory": load.memory_pressure, "io": load.io_pressure, "cpu": load.cpu_pressure}
