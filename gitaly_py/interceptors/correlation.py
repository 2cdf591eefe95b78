"""Gives each call its correlation id (daemon.md 4.2)."""

from __future__ import annotations

import os
import re
from typing import Any, Final

from gitaly_py.rpc.call import Call
from gitaly_py.telemetry.correlation import current_id

KEY = "x-gitlab-correlation-id"

MAX_LENGTH: Final = 255
"""Of an id that is used, as in the other components of GitLab."""

_USABLE = re.compile(rf"[!-~][ -~]{{0,{MAX_LENGTH - 1}}}")
"""What environments of processes and headers of HTTP requests can hold, and a log line shows in full."""


class Correlation:
    """Takes the client's id, or makes one where there is none to be used, and puts it on all log entries."""

    def begin(self, call: Call[Any, Any]) -> None:
        """See Reporter."""
        given = call.metadata.first(KEY)
        call.correlation_id = given if _USABLE.fullmatch(given) else os.urandom(16).hex()
        # Never reset: each call runs in a context of its own.
        current_id.set(call.correlation_id)

    def end(self, _: Call[Any, Any]) -> None:
        """Nothing is left to do."""
