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


class ServerMetrics:
    """Counts a call, its messages and its time."""

    __slots__ = ("_call", "_series")

    def __init__(self, call: Call[Any, Any]) -> None:
        self._call = call
        self._series = _series(call.method)
        self._series.started.value += 1

    def end(self) -> None:
        call, series = self._call, self._series
        code = call.status.code
        # Enum members hash slowly, and nearly every call is well.
        handled = series.ok if code is StatusCode.OK else series.handled[code]
        handled.value += 1
        series.received.value += call.messages_received
        series.sent.value += call.messages_sent
        series.seconds.observe(call.seconds)


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
