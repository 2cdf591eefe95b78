"""Counts calls by client (daemon.md 7.1)."""

from __future__ import annotations

from typing import Any

from gitaly_py.interceptors.client_metadata import UNKNOWN, auth_version, client_name, deadline_type
from gitaly_py.interceptors.codes import code_name
from gitaly_py.rpc.call import Call
from gitaly_py.telemetry import metrics


class ClientRequests:
    """Adds one to `gitaly_service_client_requests_total`."""

    __slots__ = ("_call",)

    def __init__(self, call: Call[Any, Any]) -> None:
        self._call = call

    def end(self) -> None:
        call, method = self._call, self._call.method
        metrics.service_client_requests.labels(
            client_name(call.metadata),
            method.service,
            method.name,
            call.metadata.only("call_site") or UNKNOWN,
            auth_version(call.metadata),
            code_name(call.status.code),
            deadline_type(call),
            method.operation,
            method.scope,
        ).inc()
