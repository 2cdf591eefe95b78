"""What git processes cost: log fields of the call and metrics (daemon.md 4.4, 7.3)."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from functools import lru_cache

from prometheus_client import Counter, Gauge

from gitaly_py.telemetry import fields, metrics
from gitaly_py.telemetry.method import current_method


@dataclass(frozen=True, slots=True)
class Usage:
    """Resources of an ended process; real: seconds from start to exit."""

    resources: resource.struct_rusage
    real: float


Names = tuple[str, str]
"""What runs, for the labels `cmd` and `subcmd`: `("git", "rev-list")`, `("post-receive", "")`."""


def started(command: Names, forking: float) -> None:
    """Counts a process that was started in `forking` seconds."""
    metrics.spawn_forking_seconds.observe(forking)
    _running(current_method.get(), command).inc()
    fields.add("command.count", 1)
    fields.add("command.spawn_token_fork_ms", _milliseconds(forking))


def placed(group: str) -> None:
    """Notes the control group of a process, as a path below where those are mounted."""
    fields.put("command.cgroup_path", group)


def ended(command: Names, usage: Usage, git_version: str, backend: str) -> None:
    """Books a process that was reaped; call it in the context in which it was started."""
    _add_fields(usage)
    method = current_method.get()
    _running(method, command).dec()
    used = usage.resources
    costs = (
        used.ru_stime,
        used.ru_utime,
        usage.real,
        used.ru_minflt,
        used.ru_majflt,
        used.ru_nsignals,
        used.ru_nvcsw,
        used.ru_nivcsw,
    )
    for meter, cost in zip(_meters(method, command, (git_version, backend)), costs, strict=True):
        meter.inc(cost)


# Looking a series up by its labels costs more than counting, and there are few of them.
@lru_cache(maxsize=4096)
def _running(method: tuple[str, str], command: Names) -> Gauge:
    return metrics.commands_running.labels(*method, *command)


@lru_cache(maxsize=4096)
def _meters(method: tuple[str, str], command: Names, place: tuple[str, str]) -> tuple[Counter, ...]:
    labels = (*method, *command)
    return (
        metrics.command_cpu_seconds.labels(*labels, "system", *place),
        metrics.command_cpu_seconds.labels(*labels, "user", *place),
        metrics.command_real_seconds.labels(*labels, *place),
        metrics.command_minor_page_faults.labels(*labels, *place),
        metrics.command_major_page_faults.labels(*labels, *place),
        metrics.command_signals_received.labels(*labels, *place),
        metrics.command_context_switches.labels(*labels, "voluntary", *place),
        metrics.command_context_switches.labels(*labels, "nonvoluntary", *place),
    )


def times(usage: Usage) -> dict[str, int]:
    """What log entries say of the time that a process took."""
    used = usage.resources
    return {
        "command.system_time_ms": _milliseconds(used.ru_stime),
        "command.user_time_ms": _milliseconds(used.ru_utime),
        "command.cpu_time_ms": _milliseconds(used.ru_stime + used.ru_utime),
        "command.real_time_ms": _milliseconds(usage.real),
    }


def _add_fields(usage: Usage) -> None:
    used = usage.resources
    for name, value in times(usage).items():
        fields.add(name, value)
    fields.add("command.inblock", used.ru_inblock)
    fields.add("command.oublock", used.ru_oublock)
    fields.add("command.minflt", used.ru_minflt)
    fields.add("command.majflt", used.ru_majflt)


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)
