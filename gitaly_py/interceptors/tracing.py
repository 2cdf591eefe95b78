"""A span for each call, a part of the caller's trace if there is one (daemon.md 1.6)."""

from __future__ import annotations

from typing import Any

from grpc import StatusCode

from gitaly_py.interceptors.codes import code_name
from gitaly_py.rpc.call import Call
from gitaly_py.telemetry import tracing

_CARRIER = ("traceparent", "tracestate")

_FAILURES = {
    StatusCode.UNKNOWN,
    StatusCode.DEADLINE_EXCEEDED,
    StatusCode.UNIMPLEMENTED,
    StatusCode.INTERNAL,
    StatusCode.UNAVAILABLE,
    StatusCode.DATA_LOSS,
}
"""Codes that are the server's failures in OpenTelemetry's conventions; the others are the client's affair."""


class Tracing:
    """The spans of calls; everything that a call begins is a part of its span."""

    def __init__(self) -> None:
        self._spans: dict[Call[Any, Any], tracing.Span] = {}

    def begin(self, call: Call[Any, Any]) -> None:
        """See Reporter."""
        method = call.method
        span = tracing.begin(
            f"{method.service}/{method.name}",
            {
                "rpc.system": "grpc",
                "rpc.service": method.service,
                "rpc.method": method.name,
                "correlation_id": call.correlation_id,
            },
            kind=tracing.Kind.SERVER,
            parent={key: call.metadata.first(key) for key in _CARRIER if key in call.metadata},
        )
        if span is not None:
            self._spans[call] = span
            # Never undone: each call runs in a context of its own.
            span.enter()

    def end(self, call: Call[Any, Any]) -> None:
        """See Reporter."""
        span = self._spans.pop(call, None)
        if span is None:
            return
        code = call.status.code
        attributes: dict[str, str | int] = {"rpc.grpc.status_code": code.value[0]}
        if call.target is not None:
            attributes["gitaly.storage"] = call.target.storage_name
            attributes["gitaly.relative_path"] = call.target.relative_path
        span.describe(attributes)
        if code in _FAILURES:
            span.fail(code_name(code))
        span.end(call.seconds)
