"""Shows Prometheus what the daemon's control groups lack (daemon.md 7.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from gitaly_py.limits.load import Load, Pressure
from gitaly_py.telemetry.metrics import REGISTRY

_log = structlog.get_logger("gitaly")

_PRESSURE_LABELS: Final = ("path", "type", "window")
_WINDOWS: Final = ("avg10", "avg60", "avg300")


class ControlGroupMetrics(Collector):
    """Reads the load once a scrape, and shows what is known of it.

    load: of the daemon's group; may raise OSError and ValueError. That of control groups of version 1 shows
    nothing here.
    """

    def __init__(self, load: Callable[[], Load], *, registry: CollectorRegistry = REGISTRY) -> None:
        self._load = load
        self._registry = registry
        registry.register(self)

    def close(self) -> None:
        """Shows nothing from now on."""
        self._registry.unregister(self)

    def describe(self) -> Iterator[Metric]:
        """Nothing is read before it is asked for."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """What prometheus_client asks for."""
        try:
            load = self._load()
        except (OSError, ValueError) as error:
            _log.warning("load not read", error=str(error))
            return
        yield _pressure("memory", "memory", load.path, load.memory_pressure)
        # Processes that wait for a processor never include all of those that could use one.
        cpu = load.cpu_pressure and Pressure(load.cpu_pressure.some)
        yield _pressure("cpu", "a processor", load.path, cpu)
        yield _pressure("io", "input and output", load.path, load.io_pressure)
        yield _events("high", "the memory it should keep to", load.path, load.memory_high_events)
        yield _events("max", "all memory it may have", load.path, load.memory_max_events)


def _pressure(resource: str, waited_for: str, path: str, pressure: Pressure | None) -> Metric:
    family = GaugeMetricFamily(
        f"gitaly_cgroup_{resource}_pressure_percent",
        f"Part of the time that git processes waited for {waited_for}.",
        labels=_PRESSURE_LABELS,
    )
    kinds = {"some": pressure.some, "full": pressure.full} if pressure else {}
    for kind, averages in kinds.items():
        if averages is not None:
            for window in _WINDOWS:
                family.add_metric((path, kind, window), getattr(averages, window))
    return family


def _events(event: str, used: str, path: str, count: int | None) -> Metric:
    family = CounterMetricFamily(
        f"gitaly_cgroup_memory_events_{event}", f"Times that the control group used {used}.", labels=("path",)
    )
    if count is not None:
        family.add_metric((path,), count)
    return family
