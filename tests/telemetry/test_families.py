"""Metrics of several processes as one."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric

from gitaly_py.telemetry.families import blank, collected, lasting, merged


def process(
    *, calls: int = 0, seconds: Iterable[float] = (), open_now: int = 0, version: str = "1"
) -> list[Metric]:
    """What a process might report."""
    registry = CollectorRegistry()
    counter = Counter("calls_total", "Calls.", ["method"], registry=registry)
    counter.labels("a").inc(calls)
    histogram = Histogram("seconds", "Time.", registry=registry, buckets=[1, 2])
    for each in seconds:
        histogram.observe(each)
    Gauge("open", "Open.", registry=registry).set(open_now)
    Gauge("gitlab_build_info", "Build.", ["version"], registry=registry).labels(version).set(1)
    Gauge("process_start_time_seconds", "Start.", registry=registry).set(100 + calls)
    return list(registry.collect())


def value(families: Iterable[Metric], name: str, **labels: str) -> float | None:
    for family in families:
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    return None


def test_counters_histograms_and_most_gauges_add_up() -> None:
    found = merged(
        [process(calls=2, seconds=[0.5], open_now=3), process(calls=5, seconds=[1.5, 9], open_now=4)]
    )

    assert value(found, "calls_total", method="a") == 7
    assert [value(found, "seconds_bucket", le=le) for le in ("1.0", "2.0", "+Inf")] == [1, 2, 3]
    assert value(found, "seconds_count") == 3
    assert value(found, "seconds_sum") == 11
    assert value(found, "open") == 7


def test_some_gauges_say_the_same_everywhere_or_mean_the_first() -> None:
    found = merged([process(calls=2), process(calls=5), process(version="2")])

    assert value(found, "gitlab_build_info", version="1") == 1
    assert value(found, "gitlab_build_info", version="2") == 1
    assert value(found, "process_start_time_seconds") == 100


def test_of_a_process_that_has_ended_only_what_it_has_counted_is_left() -> None:
    left = list(lasting(process(calls=2, open_now=3)))

    assert {family.name for family in left} == {"calls", "seconds"}
    assert value(merged([left, process(calls=1, open_now=1)]), "calls_total", method="a") == 3


def test_blank_families_have_every_series_and_no_count() -> None:
    found = blank(process(calls=2, seconds=[1]))

    assert value(found, "calls_total", method="a") == 0
    assert value(found, "seconds_bucket", le="+Inf") == 0


def test_merging_does_not_change_what_is_merged() -> None:
    one, other = process(calls=1), process(calls=2)

    merged([one, other])
    merged([one, other])

    assert value(one, "calls_total", method="a") == 1


@given(st.lists(st.integers(0, 5), min_size=1, max_size=5))
def test_the_order_of_merging_does_not_matter(counts: list[int]) -> None:
    reports = [process(calls=count, seconds=[count]) for count in counts]
    step_by_step: list[Metric] = []
    for report in reversed(reports):
        step_by_step = merged([step_by_step, report])

    for name, labels in (("calls_total", {"method": "a"}), ("seconds_bucket", {"le": "2.0"})):
        assert value(merged(reports), name, **labels) == value(step_by_step, name, **labels)


def test_what_was_never_counted_is_left_out_on_request() -> None:
    def series(families: Iterable[Metric], kind: str) -> int:
        return sum(len(family.samples) for family in families if family.type == kind)

    everything, counted = collected(zeros=True), collected(zeros=False)

    assert series(counted, "counter") < series(everything, "counter")
    assert series(counted, "gauge") == series(everything, "gauge")
    assert all(sample.value for family in counted if family.type == "counter" for sample in family.samples)
