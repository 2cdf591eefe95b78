"""The slowest calls of the last minutes."""

from __future__ import annotations

import tracemalloc
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.telemetry.slow_calls import EndedCall, SlowCalls

NOON = 1_700_000_000.0
METHOD = "/gitaly.RefService/ListRefs"


def ended(
    seconds: float, at: float, *, repository: str = "default:a.git", correlation: str = "1"
) -> EndedCall:
    return EndedCall(METHOD, repository, seconds, "OK", correlation, at)


def report(calls: SlowCalls, call: EndedCall) -> None:
    """As the reporter of a call does."""
    if call.seconds > calls.floor or call.ended >= calls.until:
        calls.add(call)


def durations(calls: SlowCalls, now: float) -> list[float]:
    return [call.seconds for call in calls.slowest(now)]


def test_the_slowest_come_first_and_only_so_many() -> None:
    calls = SlowCalls(kept=3)

    for seconds in (0.1, 5.0, 0.2, 3.0, 0.4):
        report(calls, ended(seconds, NOON))

    assert durations(calls, NOON) == [5.0, 3.0, 0.4]


def test_a_quick_call_takes_no_place_of_a_slow_one() -> None:
    calls = SlowCalls(kept=2)
    for seconds in (5.0, 3.0, 0.1):
        calls.add(ended(seconds, NOON))

    assert durations(calls, NOON) == [5.0, 3.0]


def test_calls_are_forgotten_after_the_window() -> None:
    calls = SlowCalls(window=600)
    report(calls, ended(9.0, NOON))
    report(calls, ended(1.0, NOON + 300))

    assert durations(calls, NOON + 599) == [9.0, 1.0]
    assert durations(calls, NOON + 601) == [1.0]
    assert durations(calls, NOON + 901) == []


def test_quick_calls_show_again_when_the_slow_ones_are_old() -> None:
    calls = SlowCalls(kept=2, window=600)
    for _ in range(5):
        report(calls, ended(9.0, NOON))

    for minute in range(1, 12):
        report(calls, ended(0.001 * minute, NOON + 60 * minute))

    assert durations(calls, NOON + 660) == [0.011, 0.01]


def test_a_clock_that_was_set_back_hides_no_later_call() -> None:
    calls = SlowCalls(kept=2, window=600)
    report(calls, ended(1.0, NOON))

    report(calls, ended(2.0, NOON - 86_400))
    report(calls, ended(3.0, NOON - 86_400 + 30))

    assert 3.0 in durations(calls, NOON - 86_400 + 60)
    assert calls.until < NOON


def test_a_call_that_is_reported_late_begins_no_slice_of_its_own() -> None:
    calls = SlowCalls(window=600)
    report(calls, ended(1.0, NOON))

    report(calls, ended(2.0, NOON - 1))

    assert calls.until == NOON + 60
    assert durations(calls, NOON) == [2.0, 1.0]


def test_what_a_client_says_is_kept_in_short() -> None:
    calls = SlowCalls()
    report(calls, ended(1.0, NOON, repository="a" * 1_000_000, correlation="b" * 1_000_000))

    (found,) = calls.slowest(NOON)
    assert (found.repository, found.correlation_id) == ("a" * 256, "b" * 256)


def test_memory_is_bounded_whatever_comes() -> None:
    calls = SlowCalls(kept=10, window=600)

    def some(first: int) -> None:
        for number in range(first, first + 20_000):
            report(calls, ended(number / 1000, NOON + number / 20, repository=f"default:{number}.git"))

    some(0)
    tracemalloc.start()
    try:
        some(20_000)
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 11 * 10 * 1000


@given(
    st.lists(st.tuples(st.floats(0.001, 100), st.floats(0, 30)), min_size=1, max_size=200),
    st.integers(1, 10),
)
def test_of_the_newest_slices_nothing_slower_is_missing(
    given_calls: list[tuple[float, float]], kept: int
) -> None:
    calls = SlowCalls(kept=kept, window=600)
    now, made = NOON, []
    for seconds, pause in given_calls:
        now += pause
        made.append(ended(seconds, now))
        report(calls, made[-1])

    found = durations(calls, now)
    missing = Counter(call.seconds for call in made if call.ended > now - 540) - Counter(found)
    assert not missing or (len(found) == kept and max(missing) <= found[-1])
