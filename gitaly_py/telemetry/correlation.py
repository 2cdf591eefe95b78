"""The correlation id of the call in progress (daemon.md 4.2)."""

from __future__ import annotations

from contextvars import ContextVar

current_id: ContextVar[str] = ContextVar("correlation_id", default="")
"""Goes to children, hooks and outgoing requests; empty outside a call."""
