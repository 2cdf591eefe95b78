"""From metrics (daemon.md 7) to the figures that the status page shows. Pure functions."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from prometheus_client import Metric
from prometheus_client.samples import Sample

Buckets: TypeAlias = Sequence[tuple[float, float]]
"""Upper bound in seconds, and how many took at most that; ascending, the last bound is infinite."""

_NO_ERRORS: Final = frozenset({"OK", "NotFound", "Canceled"})
"""Codes that say nothing against the daemon (daemon.md 7.6)."""


@dataclass(frozen=True, slots=True)
class RpcFigures:
    """An RPC since the start.

    codes: of the calls that have ended. seconds: of all of them. buckets: empty where they are switched off.
    """

    method: str
    started: int
    codes: Mapping[str, int]
    seconds: float
    buckets: Buckets

    @property
    def handled(self) -> int:
        """Calls that have ended."""
        return sum(self.codes.values())

    @property
    def errors(self) -> int:
        """Calls that ended with a code that may be the daemon's fault."""
        return sum(count for code, count in self.codes.items() if code not in _NO_ERRORS)

    @property
    def in_flight(self) -> int:
        """Calls that run."""
        return max(self.started - self.handled, 0)

    @property
    def mean(self) -> float | None:
        """Seconds a call, None without one."""
        observed = self.buckets[-1][1] if self.buckets else 0
        return self.seconds / observed if observed else None


@dataclass(frozen=True, slots=True)
class Hits:
    """Look-ups in a cache, by what came of them."""

    hits: int
    others: Mapping[str, int]

    @property
    def share(self) -> float | None:
        """Of hits, from 0 to 1; None before the first look-up."""
        total = self.hits + sum(self.others.values())
        return self.hits / total if total else None


@dataclass(frozen=True, slots=True)
class Figures:
    """What the page shows of the metrics.

    rpcs: those that were called, most calls first. fetches, ls_refs: answers, by who gave them.
    waiting: calls and packs that limiters let wait. Byte counts are since the start, cache_bytes is now.
    """

    rpcs: Sequence[RpcFigures]
    overall: RpcFigures
    pack_cache: Hits
    plans: Hits
    advertisements: Hits
    readers: Hits
    fetches: Mapping[str, int]
    ls_refs: Mapping[str, int]
    waiting: int
    git_processes: int
    readers_running: int
    served_bytes: int
    generated_bytes: int
    cache_bytes: int


def figures(families: Iterable[Metric]) -> Figures:
    """The figures of a daemon whose metrics are `families`."""
    samples = _by_name(families)
    rpcs = rpc_figures(samples)
    return Figures(
        rpcs=rpcs,
        overall=overall(rpcs),
        pack_cache=_hits(samples, "gitaly_pack_objects_cache_lookups_total", "result"),
        plans=_hits(samples, "gitaly_pack_plan_lookups_total", "result"),
        advertisements=_hits(samples, "gitaly_inforef_cache_hit_miss_total", "type"),
        readers=_hits(samples, "gitaly_catfile_cache_total", "type"),
        fetches=_by_label(samples, "gitaly_fetches_total", "answered_by"),
        ls_refs=_by_label(samples, "gitaly_ls_refs_total", "answered_by"),
        waiting=_total(samples, "gitaly_concurrency_limiting_queued")
        + _total(samples, "gitaly_pack_objects_queued"),
        git_processes=_total(samples, "gitaly_commands_running"),
        readers_running=_total(samples, "gitaly_catfile_processes"),
        served_bytes=_total(samples, "gitaly_pack_objects_served_bytes_total"),
        generated_bytes=_total(samples, "gitaly_pack_objects_generated_bytes_total"),
        cache_bytes=_total(samples, "gitaly_streamcache_filestore_disk_usage_bytes"),
    )


def percentile(buckets: Buckets, share: float) -> float | None:
    """The seconds within which `share` (0 to 1) of the calls ended, None without calls.

    Within a bucket calls are taken to be spread evenly. Of those beyond the last finite bound nothing but
    that bound is known.
    """
    total = buckets[-1][1] if buckets else 0
    if total <= 0:
        return None
    wanted = share * total
    lower, before = 0.0, 0.0
    for upper, count in buckets:
        if count >= wanted and count > before:
            if upper == math.inf:
                return lower
            return lower + (upper - lower) * max(wanted - before, 0) / (count - before)
        lower, before = upper if upper != math.inf else lower, count
    return lower


def rpc_figures(samples: Mapping[str, Sequence[Sample]]) -> list[RpcFigures]:
    """The RPCs that were called, most calls first."""
    started = _by_method(samples, "grpc_server_started_total")
    seconds = _by_method(samples, "grpc_server_handling_seconds_sum")
    codes: dict[str, Counter[str]] = defaultdict(Counter)
    for sample in samples.get("grpc_server_handled_total", ()):
        codes[_method(sample)][sample.labels["grpc_code"]] += int(sample.value)
    counts: dict[str, Counter[float]] = defaultdict(Counter)
    for sample in samples.get("grpc_server_handling_seconds_bucket", ()):
        counts[_method(sample)][float(sample.labels["le"])] += int(sample.value)
    found = [
        RpcFigures(
            method=method,
            started=int(count),
            codes={code: ended for code, ended in codes[method].items() if ended},
            seconds=seconds[method],
            buckets=sorted(counts[method].items()),
        )
        for method, count in started.items()
        if count
    ]
    return sorted(found, key=lambda rpc: (-rpc.started, rpc.method))


def overall(rpcs: Iterable[RpcFigures]) -> RpcFigures:
    """All calls as if they were of one RPC, whose name is empty."""
    started, seconds = 0, 0.0
    codes: Counter[str] = Counter()
    counts: Counter[float] = Counter()
    for rpc in rpcs:
        started += rpc.started
        seconds += rpc.seconds
        codes.update(rpc.codes)
        counts.update({bound: int(count) for bound, count in rpc.buckets})
    return RpcFigures("", started, codes, seconds, sorted(counts.items()))


def _by_name(families: Iterable[Metric]) -> dict[str, list[Sample]]:
    samples: dict[str, list[Sample]] = defaultdict(list)
    for family in families:
        for sample in family.samples:
            samples[sample.name].append(sample)
    return samples


def _method(sample: Sample) -> str:
    return f"/{sample.labels['grpc_service']}/{sample.labels['grpc_method']}"


def _by_method(samples: Mapping[str, Sequence[Sample]], name: str) -> dict[str, float]:
    found: dict[str, float] = defaultdict(float)
    for sample in samples.get(name, ()):
        found[_method(sample)] += sample.value
    return found


def _by_label(samples: Mapping[str, Sequence[Sample]], name: str, label: str) -> dict[str, int]:
    """Values by a label, the largest first, without those that are 0."""
    found: Counter[str] = Counter()
    for sample in samples.get(name, ()):
        found[sample.labels[label]] += int(sample.value)
    return {value: count for value, count in found.most_common() if count}


def _hits(samples: Mapping[str, Sequence[Sample]], name: str, label: str) -> Hits:
    found = _by_label(samples, name, label)
    return Hits(found.pop("hit", 0), found)


def _total(samples: Mapping[str, Sequence[Sample]], name: str) -> int:
    return int(sum(sample.value for sample in samples.get(name, ())))
