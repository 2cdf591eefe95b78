"""Full validation of the sections about load (daemon.md 5.1 to 5.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gitaly_py.config.duration import Duration
from gitaly_py.config.limits import AdaptiveLimiting, Concurrency, Limit, PackObjectsLimiting
from gitaly_py.config.problems import Problem, at, at_least, entry, greater, under

_NO_TIME = Duration(0)


def concurrency(entries: Sequence[Concurrency]) -> Iterator[Problem]:
    for index, limit in enumerate(entries):
        yield from under(entry(index), _with_unauthenticated(limit))


def pack_objects_limiting(limiting: PackObjectsLimiting) -> Iterator[Problem]:
    return _with_unauthenticated(limiting)


def adaptive_limiting(limiting: AdaptiveLimiting) -> Iterator[Problem]:
    yield from at("cpu_throttled_threshold", at_least(limiting.cpu_throttled_threshold, 0))
    yield from at("memory_threshold", at_least(limiting.memory_threshold, 0))


def _with_unauthenticated(limit: Concurrency | PackObjectsLimiting) -> Iterator[Problem]:
    yield from _limit(limit)
    if limit.unauthenticated is not None:
        yield from under("unauthenticated", _limit(limit.unauthenticated))


def _limit(limit: Limit) -> Iterator[Problem]:
    yield from at("max_concurrency", at_least(limit.max_concurrency, 0))
    yield from at("max_per_repo", at_least(limit.max_per_repo, 0))
    yield from at("max_queue_size", greater(limit.max_queue_size, 0))
    yield from at("max_queue_wait", at_least(limit.max_queue_wait, _NO_TIME))
    if limit.adaptive:
        yield from at("min_limit", greater(limit.min_limit, 0))
        yield from at("max_limit", at_least(limit.max_limit, limit.initial_limit))
        yield from at("initial_limit", at_least(limit.initial_limit, limit.min_limit))
