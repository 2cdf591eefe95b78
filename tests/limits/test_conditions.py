"""Which loads are too much (daemon.md 5.3)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gitaly_py.config import parse
from gitaly_py.config.limits import Pressure
from gitaly_py.limits.conditions import CgroupCpu, CgroupMemory, CgroupPressure, Condition, Event, conditions
from gitaly_py.limits.load import Load
from tests.support.loads import stalls

PRESSURE = Pressure(enabled=True, warning_threshold=10, backoff_threshold=20, critical_threshold=40)


def load(seconds: float = 0, **facts: Any) -> Load:
    return Load("gitaly/gitaly-1", seconds, **facts)


def reason(condition: Condition, *loads: Load) -> str | None:
    """What comes of the last of several loads."""
    events = [condition.check(each) for each in loads]
    return events[-1].reason if events[-1] else None


@pytest.mark.parametrize(
    ("throttled", "expected"),
    [
        pytest.param((0.0, 5.1), "condition_cpu_throttled", id="more than half of ten seconds"),
        pytest.param((0.0, 5.0), None, id="half"),
        pytest.param((100.0, 105.1), "condition_cpu_throttled", id="since the last load only"),
        pytest.param((100.0, 9.0), None, id="counter went back"),
        pytest.param((None, 9.0), None, id="unknown before"),
        pytest.param((9.0, None), None, id="unknown now"),
        pytest.param((9.0,), None, id="first load"),
        pytest.param((100.0, 9.0, 15.0), "condition_cpu_throttled", id="anew after it went back"),
    ],
)
def test_throttling_counts_from_one_load_to_the_next(
    throttled: tuple[float | None, ...], expected: str | None
) -> None:
    loads = [load(10 * index, throttled_seconds=seconds) for index, seconds in enumerate(throttled)]

    assert reason(CgroupCpu(0.5), *loads) == expected


def test_throttling_is_a_part_of_the_time_that_really_passed() -> None:
    late = [load(0, throttled_seconds=0.0), load(20, throttled_seconds=8.0)]
    at_once = [load(5, throttled_seconds=0.0), load(5, throttled_seconds=1.0)]

    assert reason(CgroupCpu(0.5), *late) is None
    assert reason(CgroupCpu(0.5), *at_once) is None


def test_an_event_says_what_was_seen() -> None:
    condition = CgroupCpu(0.5)
    condition.check(load(0, throttled_seconds=1.0))

    assert condition.check(load(10, throttled_seconds=9.0)) == Event(
        "CgroupCpu",
        "condition_cpu_throttled",
        {"time_diff": 10, "throttled_duration": 8.0, "throttled_threshold": 0.5},
    )


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param({"anon_bytes": 60, "limit_bytes": 100}, "condition_memory_anon", id="at the threshold"),
        pytest.param({"anon_bytes": 59, "limit_bytes": 100}, None, id="below it"),
        pytest.param(
            {"memory_bytes": 99, "anon_bytes": 1, "limit_bytes": 100}, None, id="caches don't count"
        ),
        pytest.param({"anon_bytes": 60, "limit_bytes": None}, None, id="no limit"),
        pytest.param({"anon_bytes": 60, "limit_bytes": 0}, None, id="limit of 0"),
        pytest.param({"anon_bytes": None, "limit_bytes": 100}, None, id="unknown"),
        pytest.param({"under_oom": True}, "condition_memory_oom", id="out of memory"),
        pytest.param(
            {"under_oom": True, "anon_bytes": 60, "limit_bytes": 100}, "condition_memory_oom", id="both"
        ),
    ],
)
def test_memory_is_short_when_too_much_of_the_limit_is_in_use(
    facts: dict[str, Any], expected: str | None
) -> None:
    assert reason(CgroupMemory(0.6), load(**facts)) == expected


@pytest.mark.parametrize(
    ("avg60", "expected", "logged"),
    [
        (9.9, None, []),
        (10, None, [("control group under warning pressure", "warning")]),
        (20, "condition_psi_backoff", [("control group under backoff pressure", "warning")]),
        (40, "condition_psi_critical", [("control group under critical pressure", "error")]),
    ],
)
def test_pressure_has_three_levels(avg60: float, expected: str | None, logged: list[tuple[str, str]]) -> None:
    with capture_logs() as logs:
        found = reason(CgroupPressure("io", PRESSURE), load(io_pressure=stalls(avg60)))

    assert found == expected
    assert [(each["event"], each["log_level"]) for each in logs] == logged


def test_pressure_is_that_of_one_resource() -> None:
    others = load(memory_pressure=stalls(90), cpu_pressure=stalls(90))

    assert reason(CgroupPressure("io", PRESSURE), others) is None


def test_the_log_says_whether_pressure_lasts_and_whether_it_falls() -> None:
    condition = CgroupPressure("cpu", PRESSURE)
    with capture_logs() as logs:
        for seconds, avg60, avg10 in ((0, 20, 20), (20, 20, 17.1), (30, 20, 16.9), (40, 0, 0), (50, 20, 20)):
            condition.check(load(seconds, cpu_pressure=stalls(avg60, avg10=avg10)))

    assert [each["sustained"] for each in logs] == [False, False, True, False]
    assert [each["falling"] for each in logs] == [False, False, True, False]


def test_the_configuration_names_the_thresholds_and_the_resources() -> None:
    settings = parse(
        b"[adaptive_limiting]\ncpu_throttled_threshold = 0.1\nmemory_threshold = 0.9\n"
        b"psi_pressure.io = {enabled = true, backoff_threshold = 11}\n"
    ).adaptive_limiting
    cpu, memory, pressure = conditions(settings)

    assert reason(cpu, load(0, throttled_seconds=0.0), load(10, throttled_seconds=1.1))
    assert reason(memory, load(anon_bytes=89, limit_bytes=100)) is None
    assert reason(memory, load(anon_bytes=90, limit_bytes=100))
    assert reason(pressure, load(io_pressure=stalls(11))) == "condition_psi_backoff"
    assert reason(pressure, load(io_pressure=stalls(40))) == "condition_psi_critical"


def test_pressure_is_watched_only_where_that_is_enabled() -> None:
    assert [condition.name for condition in conditions(parse(b"").adaptive_limiting)] == [
        "CgroupCpu",
        "CgroupMemory",
    ]


unknown = st.none()
counts = st.integers(0, 2**63)
loads = st.builds(
    Load,
    path=st.just("g"),
    seconds=st.floats(0, 1e9),
    memory_bytes=unknown | counts,
    anon_bytes=unknown | counts,
    limit_bytes=unknown | counts,
    under_oom=unknown | st.booleans(),
    throttled_seconds=unknown | st.floats(0, 1e9),
    memory_pressure=unknown | st.builds(stalls, st.floats(0, 100)),
    io_pressure=unknown | st.builds(stalls, st.floats(0, 100)),
    cpu_pressure=unknown | st.builds(stalls, st.floats(0, 100)),
)


@given(st.lists(loads, max_size=5))
def test_no_load_breaks_a_condition(seen: list[Load]) -> None:
    watching = [
        CgroupCpu(0.5),
        CgroupMemory(0.6),
        *(CgroupPressure(resource, PRESSURE) for resource in ("memory", "io", "cpu")),
    ]
    for each in seen:
        for condition in watching:
            event = condition.check(each)
            assert event is None or event.condition == condition.name
