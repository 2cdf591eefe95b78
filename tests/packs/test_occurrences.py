from __future__ import annotations

import pytest

from gitaly_py.packs.occurrences import Occurrences


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def occurrences(clock: Clock) -> Occurrences:
    return Occurrences(100, clock)


def test_each_key_is_counted_by_itself(occurrences: Occurrences) -> None:
    assert [occurrences.count(key) for key in "aabab"] == [0, 1, 0, 2, 1]


def test_a_key_that_is_seen_in_each_period_is_not_forgotten(occurrences: Occurrences, clock: Clock) -> None:
    for before in range(5):
        assert occurrences.count("a") == before
        clock.now += 100


def test_a_key_is_forgotten_when_it_was_not_seen_for_two_periods(
    occurrences: Occurrences, clock: Clock
) -> None:
    occurrences.count("a")
    clock.now += 150
    occurrences.count("b")
    clock.now += 100
    assert occurrences.count("a") == 0
    assert occurrences.count("b") == 1


def test_everything_is_forgotten_after_a_long_silence(occurrences: Occurrences, clock: Clock) -> None:
    occurrences.count("a")
    clock.now += 200
    assert occurrences.count("a") == 0
