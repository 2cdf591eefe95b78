"""What a limiter looks like at a moment, for those who show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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


def combined(states: Iterable[LimiterState]) -> list[LimiterState]:
    """Limiters of the same name, held by several processes, in one."""
    by_name: dict[str, list[LimiterState]] = {}
    for state in states:
        by_name.setdefault(state.name, []).append(state)
    return [_one(found) for found in by_name.values()]


def _one(states: Sequence[LimiterState]) -> LimiterState:
    rejected: Counter[str] = Counter()
    for state in states:
        rejected.update(state.rejected)
    return LimiterState(
        name=states[0].name,
        limit=max(state.limit for state in states),
        max_queue=max(state.max_queue for state in states),
        keys=[_key(name, found) for name, found in _by_key(states).items()],
        admitted=sum(state.admitted for state in states),
        rejected=dict(rejected),
    )


def _by_key(states: Sequence[LimiterState]) -> dict[str, list[KeyState]]:
    found: dict[str, list[KeyState]] = {}
    for state in states:
        for key in state.keys:
            found.setdefault(key.key, []).append(key)
    return found


def _key(name: str, states: Sequence[KeyState]) -> KeyState:
    return KeyState(
        name,
        sum(state.running for state in states),
        sum(state.waiting for state in states),
        max(state.oldest_wait for state in states),
    )
