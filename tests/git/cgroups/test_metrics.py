"""What Prometheus sees of control groups (daemon.md 7.2)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from structlog.testing import capture_logs

from gitaly_py.git.cgroups.metrics import ControlGroupMetrics
from gitaly_py.limits.load import Averages, Load, Pressure
from tests.support.metrics import Metrics

PATH = "gitaly/gitaly-1"
FULL = Pressure(Averages(1, 2, 3), Averages(4, 5, 6))


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def scraped(registry: CollectorRegistry) -> Metrics:
    return Metrics(generate_latest(registry).decode())


def test_pressure_and_events_are_shown(registry: CollectorRegistry) -> None:
    load = Load(
        PATH,
        0,
        memory_pressure=FULL,
        io_pressure=FULL,
        cpu_pressure=FULL,
        memory_high_events=7,
        memory_max_events=8,
    )
    ControlGroupMetrics(lambda: load, registry=registry)
    seen = scraped(registry)

    for resource in ("memory", "io"):
        name = f"gitaly_cgroup_{resource}_pressure_percent"
        values = [
            seen.value(name, path=PATH, type=kind, window=window)
            for kind in ("some", "full")
            for window in ("avg10", "avg60", "avg300")
        ]
        assert values == [1, 2, 3, 4, 5, 6]
    cpu = "gitaly_cgroup_cpu_pressure_percent"
    assert seen.value(cpu, path=PATH, type="some", window="avg60") == 2
    assert seen.value(cpu, path=PATH, type="full", window="avg60") is None
    assert seen.value("gitaly_cgroup_memory_events_high_total", path=PATH) == 7
    assert seen.value("gitaly_cgroup_memory_events_max_total", path=PATH) == 8
    assert seen.types["gitaly_cgroup_memory_events_high"] == "counter"


def test_what_is_unknown_is_not_shown(registry: CollectorRegistry) -> None:
    ControlGroupMetrics(lambda: Load(PATH, 0), registry=registry)

    assert scraped(registry).label_values() == set()


def test_a_load_that_cannot_be_read_spoils_no_scrape(registry: CollectorRegistry) -> None:
    def fail() -> Load:
        raise FileNotFoundError(2, "gone")

    ControlGroupMetrics(fail, registry=registry)
    with capture_logs() as logs:
        assert scraped(registry).label_values() == set()

    assert [each["log_level"] for each in logs] == ["warning"]


def test_nothing_is_read_until_it_is_asked_for_nor_after_the_end(registry: CollectorRegistry) -> None:
    loads: Iterator[Load] = iter([Load(PATH, 0, memory_max_events=1)])
    shown = ControlGroupMetrics(lambda: next(loads), registry=registry)

    assert scraped(registry).label_values() == {PATH}
    shown.close()
    assert scraped(registry).label_values() == set()
