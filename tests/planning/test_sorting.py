from __future__ import annotations

from math import inf, isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.planning.requests import MOST, REASONS, Request
from gitaly_py.planning.sorting import Requests

seconds = st.floats(0, 1e9)
names = st.sampled_from(["", "a", "ü.git", "/gitaly.X/Y"])
flags = st.booleans()
requests = st.builds(
    Request, seconds, seconds, seconds, st.one_of(seconds, st.just(inf)), names, names, names,
    st.sampled_from(REASONS), flags, flags, flags, flags, st.integers(0, MOST),
)  # fmt: skip


@given(st.lists(requests, max_size=30), st.integers(1, 8))
def test_requests_come_by_arrival_as_they_were(added: list[Request], run: int) -> None:
    sorter = Requests(run=run)
    for request in added:
        sorter.add(request)
    try:
        assert list(sorter) == sorted(added, key=lambda request: request.arrival)
        assert len(list(sorter)) == len(added)
    finally:
        sorter.close()


@pytest.mark.parametrize("run", [1, 100])
def test_an_unknown_time_stays_unknown(run: int) -> None:
    sorter = Requests(run=run)
    for arrival in (2.0, 1.0):
        sorter.add(Request(arrival, 0, nan, inf, "r", "k", "", "max_size", False, True, True, False, 0))

    assert all(isnan(request.service) for request in sorter)
    sorter.close()
