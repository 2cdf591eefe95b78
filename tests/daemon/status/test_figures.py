"""From metrics to figures."""

from __future__ import annotations

import math
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.parser import text_string_to_metric_families

from gitaly_py.daemon.status.figures import Buckets, figures, percentile

RPC = ("grpc_type", "grpc_service", "grpc_method")
FIND = ("unary", "gitaly.CommitService", "FindCommit")
LIST = ("server_stream", "gitaly.RefService", "ListRefs")


@st.composite
def histograms(draw: st.DrawFn) -> list[tuple[float, float]]:
    """Buckets with calls in some of them."""
    bounds = sorted(draw(st.sets(st.floats(0.001, 1500), min_size=1, max_size=12)))
    counts = draw(st.lists(st.integers(0, 1000), min_size=len(bounds) + 1, max_size=len(bounds) + 1))
    return list(zip([*bounds, math.inf], map(float, accumulate(counts)), strict=True))


shares = st.floats(0.001, 1)


@given(histograms(), shares)
def test_a_percentile_lies_in_the_bucket_that_has_the_call(buckets: Buckets, share: float) -> None:
    found = percentile(buckets, share)

    total = buckets[-1][1]
    if not total:
        assert found is None
        return
    upper = next(bound for bound, count in buckets if count >= share * total)
    lower = max((bound for bound, _ in buckets if bound < upper), default=0.0)
    assert found is not None
    assert lower <= found <= min(upper, buckets[-2][0]) * (1 + 1e-12)


@given(histograms(), shares, shares)
def test_a_higher_percentile_is_no_shorter_time(buckets: Buckets, one: float, other: float) -> None:
    lower, higher = (percentile(buckets, share) for share in sorted((one, other)))

    if lower is not None and higher is not None:
        assert lower <= higher * (1 + 1e-12)


@pytest.mark.parametrize(
    ("share", "expected"), [(0.25, 0.5), (0.5, 1.0), (0.75, 2.5), (0.9, 4.0), (0.95, 4.0), (1.0, 4.0)]
)
def test_calls_are_spread_evenly_within_a_bucket(share: float, expected: float) -> None:
    buckets = [(1.0, 50.0), (4.0, 100.0), (math.inf, 100.0)]
    if share >= 0.9:
        buckets = [(1.0, 50.0), (4.0, 90.0), (math.inf, 100.0)]

    assert percentile(buckets, share) == pytest.approx(expected)


@pytest.mark.parametrize("buckets", [[], [(1.0, 0.0), (math.inf, 0.0)]])
def test_without_calls_there_is_no_percentile(buckets: Buckets) -> None:
    assert percentile(buckets, 0.5) is None


def rpcs() -> list[Metric]:
    started = CounterMetricFamily("grpc_server_started", "", labels=RPC)
    handled = CounterMetricFamily("grpc_server_handled", "", labels=(*RPC, "grpc_code"))
    times = HistogramMetricFamily("grpc_server_handling_seconds", "", labels=RPC)
    started.add_metric(FIND, 12)
    started.add_metric(LIST, 40)
    started.add_metric(("unary", "gitaly.CommitService", "LastCommitForPath"), 0)
    for code, number in {"OK": 4, "NotFound": 2, "Canceled": 1, "Internal": 3, "Unknown": 0}.items():
        handled.add_metric((*FIND, code), number)
    handled.add_metric((*LIST, "OK"), 40)
    times.add_metric(FIND, [("0.5", 8), ("+Inf", 10)], 20.0)
    times.add_metric(LIST, [("0.5", 40), ("+Inf", 40)], 4.0)
    return [started, handled, times]


def test_an_rpc_has_its_calls_errors_and_times() -> None:
    most, least = figures(rpcs()).rpcs

    assert (most.method, most.started, most.in_flight) == ("/gitaly.RefService/ListRefs", 40, 0)
    assert (least.method, least.started) == ("/gitaly.CommitService/FindCommit", 12)
    assert (least.handled, least.in_flight, least.errors, least.mean) == (10, 2, 3, 2.0)
    assert least.codes == {"OK": 4, "NotFound": 2, "Canceled": 1, "Internal": 3}
    assert least.buckets == [(0.5, 8), (math.inf, 10)]


def test_all_rpcs_add_up() -> None:
    found = figures(rpcs()).overall

    assert (found.started, found.handled, found.errors, found.in_flight) == (52, 50, 3, 2)
    assert found.buckets == [(0.5, 48), (math.inf, 50)]
    assert found.mean == pytest.approx(24 / 50)


def test_times_may_be_switched_off() -> None:
    rpc, _ = figures(rpcs()[:2]).rpcs

    assert (rpc.buckets, rpc.mean, percentile(rpc.buckets, 0.5)) == ([], None, None)


def test_caches_tell_how_often_they_were_of_use() -> None:
    lookups = CounterMetricFamily("gitaly_inforef_cache_hit_miss", "", labels=("type",))
    for kind, number in {"hit": 6, "miss": 1, "err": 1}.items():
        lookups.add_metric((kind,), number)

    found = figures([lookups])

    assert (found.advertisements.hits, found.advertisements.others) == (6, {"miss": 1, "err": 1})
    assert found.advertisements.share == 0.75
    assert found.pack_cache.share is None


def test_answers_are_counted_the_most_frequent_first() -> None:
    fetches = CounterMetricFamily("gitaly_fetches", "", labels=("answered_by",))
    for who, number in {"takeover": 2, "plan": 9, "no_pack": 0}.items():
        fetches.add_metric((who,), number)

    assert list(figures([fetches]).fetches.items()) == [("plan", 9), ("takeover", 2)]


def test_gauges_are_summed_over_their_labels() -> None:
    queued = GaugeMetricFamily("gitaly_pack_objects_queued", "", labels=("auth",))
    queued.add_metric(("authenticated",), 2)
    queued.add_metric(("unauthenticated",), 3)
    running = GaugeMetricFamily("gitaly_commands_running", "", labels=("cmd",))
    running.add_metric(("git",), 4)

    found = figures([queued, running])

    assert (found.waiting, found.git_processes) == (5, 4)


def test_what_was_scraped_as_text_gives_the_same_figures() -> None:
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import generate_latest
    from prometheus_client.registry import Collector

    class Made(Collector):
        def collect(self) -> list[Metric]:
            return rpcs()

    registry = CollectorRegistry()
    registry.register(Made())
    text = generate_latest(registry).decode()

    assert figures(text_string_to_metric_families(text)) == figures(rpcs())


def test_buckets_are_cumulative_and_ascending() -> None:
    buckets = figures(rpcs()).overall.buckets

    assert all(one[0] < other[0] and one[1] <= other[1] for one, other in pairwise(buckets))
