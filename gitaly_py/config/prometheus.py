"""`[prometheus]`: the metrics."""

from __future__ import annotations

from typing import Annotated

from gitaly_py.config.duration import Duration, zero_means
from gitaly_py.config.section import Section, setting, several

_LATENCY_BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 10.0, 30.0, 60.0, 300.0, 1500.0)


class Prometheus(Section):
    """`[prometheus]`."""

    scrape_timeout: Annotated[Duration, zero_means("10s")] = setting(
        Duration.parse("10s"), "Time a scrape may take. Accepted for compatibility; has no effect."
    )
    grpc_latency_buckets: tuple[float, ...] = several(
        "Upper bounds of the latency histograms' buckets, in seconds and ascending; "
        "an empty list disables the histogram of handling times.",
        _LATENCY_BUCKETS,
    )
