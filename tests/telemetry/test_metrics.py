"""Names, types, labels and buckets of metrics (daemon.md 7)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest

from gitaly_py.telemetry import metrics
from gitaly_py.telemetry.call_metrics import CallHistogram
from tests.support.metric_names import COUNTERS, GAUGES, HISTOGRAMS

LATENCY = [
    "grpc_server_handling_seconds",
    "gitaly_concurrency_limiting_acquiring_seconds",
    "gitaly_pack_objects_acquiring_seconds",
    "gitaly_gitlab_api_latency_seconds",
]


def declared() -> dict[str, Any]:
    """Every collector by the name of its metric, as it is declared."""
    found = {}
    for collector in list(metrics.REGISTRY._collector_to_names):
        name = getattr(collector, "_name", None)
        if name is not None:
            counts = getattr(collector, "_type", "") == "counter" and not name.endswith("_total")
            found[f"{name}_total" if counts else name] = collector
    return found


@pytest.mark.parametrize(("name", "labels"), sorted({**COUNTERS, **GAUGES, **HISTOGRAMS}.items()))
def test_a_metric_has_exactly_these_labels(name: str, labels: tuple[str, ...]) -> None:
    collector = declared()[name]
    found = getattr(collector, "_labelnames", None)
    if found is None:
        found = getattr(collector, "_labels", ())
    assert set(found) == set(labels)


@pytest.mark.parametrize("name", LATENCY)
def test_latencies_have_the_buckets_of_the_configuration(name: str) -> None:
    collector = declared()[name]
    assert isinstance(collector, CallHistogram)
    assert collector in metrics._latency_histograms
    assert collector._bounds == (0.001, 0.005, 0.025, 0.1, 0.5, 1, 10, 30, 60, 300, 1500)


@pytest.mark.parametrize("transport", ["smarthttp", "ssh"])
def test_depths_have_log_spaced_buckets(transport: str) -> None:
    bounds = declared()[f"gitaly_{transport}_packfile_negotiation_deepen"]._upper_bounds
    spaced = bounds[4:8]
    assert bounds[:4] == [1, 2, 5, 10]
    assert spaced[0] == 20
    assert spaced[-1] == pytest.approx(2147483646)
    assert spaced[1] / spaced[0] == pytest.approx(spaced[3] / spaced[2])
    assert bounds[8:] == [2147483647, math.inf]


def test_the_time_to_start_git_has_doubling_buckets() -> None:
    bounds = declared()["gitaly_spawn_forking_time_seconds"]._upper_bounds
    assert bounds == [0.001 * 2**power for power in range(10)] + [math.inf]


@pytest.fixture
def buckets_again() -> Iterator[None]:
    yield
    metrics.use_latency_buckets(metrics.DEFAULT_LATENCY_BUCKETS)


@pytest.mark.usefixtures("buckets_again")
def test_without_buckets_only_handling_times_are_not_shown() -> None:
    metrics.use_latency_buckets([])

    shown = {name for name in LATENCY if declared()[name]._bounds}
    assert shown == set(LATENCY) - {"grpc_server_handling_seconds"}


@pytest.mark.usefixtures("buckets_again")
def test_buckets_are_in_order_and_each_there_once() -> None:
    metrics.use_latency_buckets([5, 1, math.nan, 1, math.inf])

    assert [declared()[name]._bounds for name in LATENCY] == [(1, 5)] * len(LATENCY)
