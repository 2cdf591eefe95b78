from __future__ import annotations

from gitaly_py.planning.sparkline import condensed, sparkline


def test_values_are_as_high_as_they_are_great() -> None:
    assert sparkline([0, 1, 4, 8], 8) == ".▂▅█"


def test_what_is_little_differs_from_nothing() -> None:
    assert sparkline([0, 1, 1000], 1000) == ".▁█"


def test_nothing_at_all() -> None:
    assert sparkline([0, 0], 0) == ".."


def test_values_are_joined_to_fit() -> None:
    assert condensed([1, 2, 3, 4, 5], max, 2) == [3, 5]
    assert condensed([1, 2, 3, 4, 5], sum, 3) == [3, 7, 5]
    assert condensed([1, 2], max, 5) == [1, 2]
