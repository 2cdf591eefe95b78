from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.exposition import generate_latest

from gitaly_py.telemetry.size_histogram import SizeHistogram

BUCKETS = [4**power for power in range(11)]


def exposed(registry: CollectorRegistry) -> list[bytes]:
    return [line for line in generate_latest(registry).splitlines() if b"_created" not in line]


@pytest.mark.parametrize(
    "sizes",
    [[], [1], [1, 2, 4, 5, 16, 17, 65536, 65537, 1048576, 1048577, 2**40], list(range(1, 300))],
    ids=["none", "one", "bounds", "small"],
)
def test_exposition_equals_that_of_an_ordinary_histogram(sizes: list[int]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    histogram, model = (
        SizeHistogram("sizes", "Sizes."),
        Histogram("sizes", "Sizes.", registry=theirs, buckets=BUCKETS),
    )
    ours.register(histogram)

    for size in sizes:
        histogram.observe(size)
        model.observe(size)

    assert exposed(ours) == exposed(theirs)
