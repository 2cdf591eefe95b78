"""Counters, gauges and histograms that every call updates several times, from one thread.

prometheus_client's own lock and check at each update, which together costs a call more than reading its
request does. These only add; what is shown is made when it is asked for.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.utils import floatToGoString


class CounterSeries:
    """One series of a CallCounter."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def inc(self, amount: int = 1) -> None:
        """Adds `amount`."""
        self.value += amount


class CallCounter(Collector):
    """A counter; `name` ends in `_total`."""

    def __init__(self, name: str, text: str, labels: Sequence[str], *, registry: CollectorRegistry) -> None:
        self._name = name
        self._text = text
        self._labels = labels
        self._series: dict[tuple[str, ...], CounterSeries] = {}
        registry.register(self)

    def labels(self, *values: str) -> CounterSeries:
        """The series of these label values, which is shown from now on."""
        series = self._series.get(values)
        if series is None:
            series = self._series[values] = CounterSeries()
        return series

    @property
    def total(self) -> int:
        """The sum of all series."""
        return sum(series.value for series in self._series.values())

    def collect(self) -> Iterator[CounterMetricFamily]:
        """What prometheus_client asks for."""
        family = CounterMetricFamily(self._name, self._text, labels=self._labels)
        for values, series in self._series.items():
            family.add_metric(values, series.value)
        yield family


class GaugeSeries:
    """One series of a CallGauge."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


class CallGauge(Collector):
    """A gauge."""

    def __init__(self, name: str, text: str, labels: Sequence[str], *, registry: CollectorRegistry) -> None:
        self._name = name
        self._text = text
        self._labels = labels
        self._series: dict[tuple[str, ...], GaugeSeries] = {}
        registry.register(self)

    def labels(self, *values: str) -> GaugeSeries:
        """The series of these label values, which is shown from now on."""
        return self._series.setdefault(values, GaugeSeries())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """What prometheus_client asks for."""
        family = GaugeMetricFamily(self._name, self._text, labels=self._labels)
        for values, series in self._series.items():
            family.add_metric(values, series.value)
        yield family


class HistogramSeries:
    """One series of a CallHistogram."""

    __slots__ = ("_bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Counts `value`."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.sum += value


class CallHistogram(Collector):
    """A histogram; `buckets` are upper bounds, ascending. Without any it shows nothing."""

    def __init__(
        self,
        name: str,
        text: str,
        labels: Sequence[str],
        *,
        registry: CollectorRegistry,
        buckets: Sequence[float],
    ) -> None:
        self._name = name
        self._text = text
        self._labels = labels
        self._series: dict[tuple[str, ...], HistogramSeries] = {}
        self._bounds: tuple[float, ...] = ()
        self.use_buckets(buckets)
        registry.register(self)

    def use_buckets(self, buckets: Sequence[float]) -> None:
        """Starts over with other buckets; every series is forgotten."""
        self._bounds = tuple(bound for bound in buckets if bound != math.inf)
        self._series.clear()

    def labels(self, *values: str) -> HistogramSeries:
        """The series of these label values, which is shown from now on."""
        return self._series.setdefault(values, HistogramSeries(self._bounds))

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """What prometheus_client asks for."""
        if not self._bounds:
            return
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        for values, series in self._series.items():
            total, buckets = 0, []
            for bound, count in zip((*self._bounds, math.inf), series.counts, strict=True):
                total += count
                buckets.append((floatToGoString(bound), total))  # type: ignore[no-untyped-call]
            family.add_metric(values, buckets, series.sum)
        yield family
