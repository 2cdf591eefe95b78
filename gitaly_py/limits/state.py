"""What a limiter looks like at a moment, for those who show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KeyState:
    """The callers of one key. oldest_wait: seconds that the one that waits for longest has waited by now."""

    key: str
    running: int
    waiting: int
    oldest_wait: float


@dataclass(frozen=True, slots=True)
class LimiterState:
    """A limiter and the keys in use.

    name: as the metric label `limit` has it (daemon.md 5.3): `perRPC<full method>`, `packObjects`, either
    with `-unauthenticated`. limit: holders a key, 0 is no limit. max_queue: waiters a key, 0 is no bound.
    admitted, rejected: callers since the start; the latter by reason.
    """

    name: str
    limit: int
    max_queue: int
    keys: Sequence[KeyState]
    admitted: int
    rejected: Mapping[str, int]
