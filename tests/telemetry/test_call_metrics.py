from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import generate_latest

from gitaly_py.telemetry.call_metrics import CallCounter, CallHistogram

BUCKETS = (0.001, 0.005, 0.1, 1, 10)


def exposed(registry: CollectorRegistry) -> list[bytes]:
    return [line for line in generate_latest(registry).splitlines() if b"_created" not in line]


@pytest.fixture
def ours() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def theirs() -> CollectorRegistry:
    return CollectorRegistry()


def test_a_counter_is_exposed_like_that_of_the_library(
    ours: CollectorRegistry, theirs: CollectorRegistry
) -> None:
    for counter in (
        CallCounter("calls_total", "Calls.", ("method", "code"), registry=ours),
        Counter("calls_total", "Calls.", ("method", "code"), registry=theirs),
    ):
        counter.labels("Find", "OK").inc()
        counter.labels("Find", "OK").inc(3)
        counter.labels("Find", 'a "quoted" value\n').inc(0)

    assert exposed(ours) == exposed(theirs)


@settings(max_examples=50)
@given(st.lists(st.floats(0, 100) | st.sampled_from(BUCKETS)))
def test_a_histogram_is_exposed_like_that_of_the_library(seconds: list[float]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    histogram = CallHistogram("seconds", "Time.", ("method",), registry=ours, buckets=BUCKETS)
    model = Histogram("seconds", "Time.", ("method",), registry=theirs, buckets=BUCKETS)
    for each in seconds:
        histogram.labels("Find").observe(each)
        model.labels("Find").observe(each)

    assert exposed(ours) == exposed(theirs)


def test_other_buckets_start_a_histogram_over(ours: CollectorRegistry, theirs: CollectorRegistry) -> None:
    histogram = CallHistogram("seconds", "Time.", ("method",), registry=ours, buckets=BUCKETS)
    histogram.labels("Find").observe(1)
    histogram.use_buckets((0.5, 2))
    histogram.labels("Find").observe(1)
    Histogram("seconds", "Time.", ("method",), registry=theirs, buckets=(0.5, 2)).labels("Find").observe(1)

    assert exposed(ours) == exposed(theirs)


def test_a_histogram_without_buckets_shows_nothing(ours: CollectorRegistry) -> None:
    histogram = CallHistogram("seconds", "Time.", (), registry=ours, buckets=())
    histogram.labels().observe(1)

    assert exposed(ours) == []
