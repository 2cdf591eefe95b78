"""Metrics of several processes as if they were those of one.

Counters and histograms add up, also those of processes that are gone; so do most gauges. Some say the same
everywhere, or mean the first or the most of all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from prometheus_client import GC_COLLECTOR, PLATFORM_COLLECTOR, PROCESS_COLLECTOR, Metric
from prometheus_client.samples import Sample

from gitaly_py.telemetry import metrics

_GREATEST: Final = {
    "gitlab_build_info",
    "gitaly_archive_cache_enabled",
    "gitaly_concurrency_limiting_current_limit",
    "gitaly_pack_objects_cache_enabled",
    "process_max_fds",
    "python_info",
}
_LEAST: Final = {"process_start_time_seconds"}
_LASTING: Final = {"counter", "histogram"}

for collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
    metrics.REGISTRY.register(collector)

_Key = tuple[str, tuple[tuple[str, str], ...]]


def collected(*, zeros: bool) -> list[Metric]:
    """All metrics of this process. zeros: those of counters are wanted, too; nearly all of them are 0."""
    families = []
    for family in metrics.REGISTRY.collect():
        if family.type in _LASTING and not zeros:
            family.samples = [sample for sample in family.samples if sample.value]
        if family.samples or zeros:
            families.append(family)
    return families


def merged(reports: Iterable[Sequence[Metric]]) -> list[Metric]:
    """The families of several processes in one, in the order of their first appearance."""
    # Not by name alone: a gauge and a counter may have the same, but for its ending.
    found: dict[tuple[str, str], tuple[Metric, dict[_Key, Sample]]] = {}
    for report in reports:
        for family in report:
            known = found.setdefault((family.name, family.type), (family, {}))
            _add(known[1], family)
    return [_with(family, samples.values()) for family, samples in found.values()]


def lasting(families: Iterable[Metric]) -> Iterator[Metric]:
    """What is left of the metrics of a process that has ended: what it has counted."""
    for family in families:
        if family.type in _LASTING and not family.name.startswith(("process_", "python_")):
            yield family


def blank(families: Iterable[Metric]) -> list[Metric]:
    """The same counters and histograms before anything was counted."""
    return [
        _with(family, [sample._replace(value=0.0) for sample in family.samples])
        for family in lasting(families)
    ]


def _add(samples: dict[_Key, Sample], family: Metric) -> None:
    for sample in family.samples:
        key = (sample.name, tuple(sorted(sample.labels.items())))
        known = samples.get(key)
        if known is not None:
            sample = known._replace(value=_joined(family.name, known.value, sample.value))  # noqa: PLW2901
        samples[key] = sample


def _joined(name: str, one: float, other: float) -> float:
    if name in _GREATEST:
        return max(one, other)
    if name in _LEAST:
        return min(one, other)
    return one + other


def _with(family: Metric, samples: Iterable[Sample]) -> Metric:
    copy = Metric(family.name, family.documentation, family.type, family.unit)
    copy.samples = list(samples)
    return copy
