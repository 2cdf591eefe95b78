"""The standard gRPC server metrics (daemon.md 7.1)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from grpc import StatusCode

from gitaly_py.interceptors.codes import code_name
from gitaly_py.rpc.call import Call
from gitaly_py.rpc.methods import Method
from gitaly_py.telemetry import metrics
from gitaly_py.telemetry.slow_calls import SLOW_CALLS, EndedCall

_OPEN_ENDED = ("/grpc.health.v1.Health/Watch",)
"""How long these calls take says nothing about the daemon."""


class ServerMetrics:
    """Counts calls, their messages and their time, and keeps the slow ones."""

    def begin(self, call: Call[Any, Any]) -> None:
        """See Reporter."""
        _series(call.method).started.value += 1

    def end(self, call: Call[Any, Any]) -> None:
        """See Reporter."""
        series = _series(call.method)
        code = call.status.code
        # Enum members hash slowly, and nearly every call is well.
        handled = series.ok if code is StatusCode.OK else series.handled[code]
        handled.value += 1
        series.received.value += call.messages_received
        series.sent.value += call.messages_sent
        seconds = call.seconds
        series.seconds.observe(seconds)
        if seconds > SLOW_CALLS.floor or call.started + seconds >= SLOW_CALLS.until:
            _keep(call, seconds)


def _keep(call: Call[Any, Any], seconds: float) -> None:
    """Shows a call among the slow ones, for as long as there are no slower ones."""
    method, target = call.method.path, call.target
    if method in _OPEN_ENDED:
        return
    repository = "" if target is None else f"{target.storage_name}:{target.relative_path}"
    code = code_name(call.status.code)
    ended = call.started + seconds
    SLOW_CALLS.add(EndedCall(method, repository, seconds, code, call.correlation_id, ended))


class _Series:
    """The series of one method: looking them up by their labels costs more than counting."""

    __slots__ = ("handled", "ok", "received", "seconds", "sent", "started")

    def __init__(self, method: Method) -> None:
        labels = (method.kind, method.service, method.name)
        self.started = metrics.grpc_started.labels(*labels)
        self.received = metrics.grpc_msg_received.labels(*labels)
        self.sent = metrics.grpc_msg_sent.labels(*labels)
        self.seconds = metrics.grpc_handling_seconds.labels(*labels)
        self.handled = {code: metrics.grpc_handled.labels(*labels, code_name(code)) for code in StatusCode}
        self.ok = self.handled[StatusCode.OK]


_series = cache(_Series)


def register(methods: Iterable[Method]) -> None:
    """Shows every method with zero values before its first call."""
    for method in methods:
        _series(method)
