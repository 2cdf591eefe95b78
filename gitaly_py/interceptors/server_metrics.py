"""The standard gRPC server metrics (daemon.md 7.1)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from grpc import StatusCode
from prometheus_client import Counter, Histogram

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
        self._series.started.inc()

    def end(self) -> None:
        call, series = self._call, self._series
        series.handled[call.status.code].inc()
        series.received.inc(call.messages_received)
        series.sent.inc(call.messages_sent)
        series.seconds.observe(call.seconds)


class _Series:
    """The series of one method: looking them up by their labels costs more than counting."""

    __slots__ = ("handled", "received", "seconds", "sent", "started")

    def __init__(self, method: Method) -> None:
        labels = (method.kind, method.service, method.name)
        self.started: Counter = metrics.grpc_started.labels(*labels)
        self.received: Counter = metrics.grpc_msg_received.labels(*labels)
        self.sent: Counter = metrics.grpc_msg_sent.labels(*labels)
        self.seconds: Histogram = metrics.grpc_handling_seconds.labels(*labels)
        self.handled: dict[StatusCode, Counter] = {
            code: metrics.grpc_handled.labels(*labels, code_name(code)) for code in StatusCode
        }


_series = cache(_Series)


def register(methods: Iterable[Method]) -> None:
    """Shows every method with zero values before its first call."""
    for method in methods:
        _series(method)
