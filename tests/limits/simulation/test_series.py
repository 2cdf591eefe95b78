from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.limits.simulation.series import MAX_INTERVALS, Series, align

steps = st.lists(st.tuples(st.floats(0, 1e5), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=60)


@given(steps)
def test_each_interval_has_the_most_that_there_was_in_it(changes: list[tuple[float, int, int]]) -> None:
    changes.sort(key=lambda change: change[0])
    series = Series()
    for change in changes:
        series.level(*change)

    assert len(series.running) == len(series.waiting) == len(series.refused) <= MAX_INTERVALS
    for index, (running, waiting) in enumerate(zip(series.running, series.waiting, strict=True)):
        begin, end = index * series.width, (index + 1) * series.width
        before = [change for change in changes if change[0] < begin][-1:]
        within = [change for change in changes if begin <= change[0] < end]
        # A level that is gone at the very beginning of an interval may show in it or not.
        seen = [(0, 0), *((change[1], change[2]) for change in [*before, *within])]
        least = [(change[1], change[2]) for change in within]
        for column, value in enumerate((running, waiting)):
            assert value <= max(level[column] for level in seen)
            assert value >= max((level[column] for level in least), default=0)


@given(st.lists(st.floats(0, 1e6)))
def test_no_refusal_is_lost(moments: list[float]) -> None:
    series = Series()
    for moment in sorted(moments):
        series.refuse(moment)

    assert sum(series.refused) == len(moments)


def test_a_level_stays_until_it_changes() -> None:
    series = Series()
    series.level(0.0, 3, 1)
    series.level(100.0, 0, 0)

    assert set(series.running[:-1]) == {3}
    assert set(series.waiting[:-1]) == {1}


def test_aligned_series_have_the_same_intervals_and_keep_what_they_hold() -> None:
    short, long = Series(), Series()
    short.level(1.0, 7, 0)
    short.refuse(1.0)
    long.level(5000.0, 1, 2)

    align(short, long)

    assert (short.width, len(short.running)) == (long.width, len(long.running))
    assert (max(short.running), sum(short.refused), long.waiting[-1]) == (7, 1, 2)
