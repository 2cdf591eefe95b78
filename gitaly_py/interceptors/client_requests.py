"""Counts calls by client (daemon.md 7.1)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from gitaly_py.interceptors.client_metadata import UNKNOWN, auth_version, client_name, deadline_type
from gitaly_py.interceptors.codes import code_name
from gitaly_py.rpc.call import Call
from gitaly_py.rpc.methods import Method
from gitaly_py.telemetry import metrics
from gitaly_py.telemetry.call_metrics import CounterSeries


class ClientRequests:
    """Adds one to `gitaly_service_client_requests_total`."""

    def begin(self, _: Call[Any, Any]) -> None:
        """Calls count when they end."""

    def end(self, call: Call[Any, Any]) -> None:
        """See Reporter."""
        _series(
            call.method,
            code_name(call.status.code),
            client_name(call.metadata),
            call.metadata.only("call_site") or UNKNOWN,
            auth_version(call.metadata),
            deadline_type(call),
        ).inc()


@lru_cache(maxsize=4096)
def _series(method: Method, code: str, client: str, site: str, version: str, deadline: str) -> CounterSeries:
    """The series of these labels; looking it up in the library costs more than counting."""
    return metrics.service_client_requests.labels(
        client,
        method.service,
        method.name,
        site,
        version,
        code,
        deadline,
        method.operation,
        method.scope,
    )
