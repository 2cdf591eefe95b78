"""The RPC in progress, for metrics of what it starts (daemon.md 7.3)."""

from __future__ import annotations

from contextvars import ContextVar

current_method: ContextVar[tuple[str, str]] = ContextVar("rpc_method", default=("unknown", "unknown"))
"""Service and method, such as `("gitaly.RefService", "ListRefs")`."""
