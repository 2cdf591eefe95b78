"""Who calls, as logs and metrics name it (daemon.md 4.2)."""

from __future__ import annotations

from typing import Any

from gitaly_py.rpc.call import Call
from gitaly_py.rpc.exchange import Metadata

UNKNOWN = "unknown"


def client_name(metadata: Metadata) -> str:
    """The client's name, `unknown` without one."""
    return metadata.only("x-gitlab-client-name") or metadata.only("client_name") or UNKNOWN


def auth_version(metadata: Metadata) -> str:
    """`v2` when the call carries a token of that form, valid or not."""
    _, _, token = metadata.first("authorization").partition(" ")
    return "v2" if token.startswith("v2.") else UNKNOWN


def deadline_type(call: Call[Any, Any]) -> str:
    """`none` without a deadline, whatever the client says; else its word for it."""
    if call.time_limit is None:
        return "none"
    return call.metadata.only("deadline_type") or UNKNOWN
