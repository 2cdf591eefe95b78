"""The standard gRPC server metrics (daemon.md 7.1)."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from grpc import StatusCode

from gitaly_py.interceptors.codes import code_name
from gitaly_py.rpc.call import Call
from gitaly_py.rpc.methods import Method
from gitaly_py.telemetry import metrics


class ServerMetrics:
    """Counts a call, its messages and its time."""

    __slots__ = ("_call", "_labels", "_since")

    def __init__(self, call: Call[Any, Any]) -> None:
        self._call = call
        self._since = time.monotonic()
        self._labels = _labels(call.method)
        metrics.grpc_started.labels(*self._labels).inc()

    def end(self) -> None:
        call, labels = self._call, self._labels
        metrics.grpc_handled.labels(*labels, code_name(call.status.code)).inc()
        metrics.grpc_msg_received.labels(*labels).inc(call.messages_received)
        metrics.grpc_msg_sent.labels(*labels).inc(call.messages_sent)
        metrics.grpc_handling_seconds.labels(*labels).observe(time.monotonic() - self._since)


def register(methods: Iterable[Method]) -> None:
    """Shows every method with zero values before its first call."""
    for method in methods:
        labels = _labels(method)
        metrics.grpc_started.labels(*labels)
        metrics.grpc_msg_received.labels(*labels)
        metrics.grpc_msg_sent.labels(*labels)
        metrics.grpc_handling_seconds.labels(*labels)
        for code in StatusCode:
            metrics.grpc_handled.labels(*labels, code_name(code))


def _labels(method: Method) -> tuple[str, str, str]:
    return method.kind, method.service, method.name
