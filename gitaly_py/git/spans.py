"""Spans of git processes: what runs and what it costs, never its arguments, which may hold secrets."""

from __future__ import annotations

import os
from collections.abc import Mapping

from gitaly_py.git.accounting import Usage
from gitaly_py.telemetry import tracing
from gitaly_py.telemetry.tracing import Span


def begun(program: bytes, command: str) -> Span | None:
    """The span of a process that is about to start. program: its path; command: what git is asked to do."""
    if not tracing.is_on():
        return None
    executable = os.fsdecode(os.path.basename(program))
    name = executable if executable == command else f"{executable} {command}"
    return tracing.begin(name, {"process.executable.name": executable, "process.command": command})


def handed_on(span: Span | None, environment: Mapping[bytes, bytes]) -> Mapping[bytes, bytes]:
    """`environment` with what makes the process's own spans, and those of hooks, parts of its span."""
    if span is None:
        return environment
    variables = {name.upper().encode(): value.encode() for name, value in span.carrier.items()}
    return {**environment, **variables}


def not_started(span: Span | None) -> None:
    """There is no process after all."""
    if span is not None:
        span.fail("SpawnFailed")
        span.end()


def ended(span: Span | None, pid: int, status: int | None, usage: Usage | None) -> None:
    """The process was reaped. status: negative for a signal."""
    if span is None:
        return
    attributes: dict[str, int | float] = {"process.pid": pid}
    if status is not None:
        attributes["process.exit.code"] = status
    if usage is not None:
        attributes["gitaly.process.user_seconds"] = usage.resources.ru_utime
        attributes["gitaly.process.system_seconds"] = usage.resources.ru_stime
    span.describe(attributes)
    if status:
        span.fail(f"signal {-status}" if status < 0 else f"exit status {status}")
    span.end()
