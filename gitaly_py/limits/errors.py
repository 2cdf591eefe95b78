"""Errors of limiters.

LimitReached
├── QueueFull       too many wait already
└── QueueTimeout    waited for too long
"""

from __future__ import annotations

from typing import ClassVar


class LimitReached(Exception):
    """A limiter refused a caller. reason: one word for it, as metrics and logs have it."""

    reason: ClassVar[str]


class QueueFull(LimitReached):
    """As many run and wait for the same key as may."""

    reason = "max_size"

    def __init__(self) -> None:
        super().__init__("maximum queue size reached")


class QueueTimeout(LimitReached):
    """No slot came free within the longest wait."""

    reason = "max_time"

    def __init__(self) -> None:
        super().__init__("maximum time in concurrency queue reached")
