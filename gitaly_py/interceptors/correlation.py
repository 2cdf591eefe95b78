"""Gives each call its correlation id (daemon.md 4.2)."""

from __future__ import annotations

import os
from typing import Any

from gitaly_py.rpc.call import Call
from gitaly_py.telemetry.correlation import current_id

KEY = "x-gitlab-correlation-id"


class Correlation:
    """Takes the client's id or makes one, and puts it on every log entry of the call."""

    __slots__ = ()

    def __init__(self, call: Call[Any, Any]) -> None:
        call.correlation_id = call.metadata.first(KEY) or os.urandom(16).hex()
        # Never reset: each call runs in a context of its own.
        current_id.set(call.correlation_id)

    def end(self) -> None:
        """Nothing is left to do."""
