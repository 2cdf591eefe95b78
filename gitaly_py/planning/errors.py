"""Errors of planning."""

from __future__ import annotations


class PlanningError(Exception):
    """There is nothing that could be replayed, or no way to show it; the message says why."""
