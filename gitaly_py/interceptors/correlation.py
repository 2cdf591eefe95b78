"""Gives each call its correlation id (daemon.md 4.2)."""

from __future__ import annotations

import os
from typing import Any

import structlog

from gitaly_py.rpc.call import Call
from gitaly_py.telemetry.correlation import current_id

KEY = "x-gitlab-correlation-id"


class Correlation:
    """Takes the client's id or makes one, and puts it on every log entry of the call."""

    __slots__ = ("_id_token", "_log_tokens")

    def __init__(self, call: Call[Any, Any]) -> None:
        call.correlation_id = call.metadata.first(KEY) or os.urandom(16).hex()
        self._id_token = current_id.set(call.correlation_id)
        self._log_tokens = structlog.contextvars.bind_contextvars(correlation_id=call.correlation_id)

    def end(self) -> None:
        structlog.contextvars.reset_contextvars(**self._log_tokens)
        current_id.reset(self._id_token)
