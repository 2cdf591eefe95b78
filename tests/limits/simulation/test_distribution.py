from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.limits.simulation.distribution import Distribution


def of(values: list[float]) -> Distribution:
    found = Distribution()
    for value in values:
        found.add(value)
    return found


@given(st.lists(st.floats(1e-6, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_within_a_hundredth_of_the_value_at_that_place(
    values: list[float], part: float
) -> None:
    exact = sorted(values)[math.ceil(part * len(values)) - 1]

    assert of(values).quantile(part) == pytest.approx(exact, rel=0.01)


def test_values_of_nothing_count() -> None:
    found = of([0.0, 0.0, 0.0, 8.0])

    assert [found.quantile(part) for part in (0.5, 0.75, 0.76, 1)] == [0, 0, 8, 8]
    assert (found.count, found.sum, found.greatest) == (4, 8, 8)


def test_without_values_there_is_nothing() -> None:
    assert Distribution().quantile(0.5) == 0
