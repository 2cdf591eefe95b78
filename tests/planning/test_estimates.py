from __future__ import annotations

import pytest

from gitaly_py.planning.estimates import Estimates
from gitaly_py.planning.requests import Request, request
from tests.support.access_log import entry, refused

CLONE = "/gitaly.SSHService/SSHUploadPack"


def read(fields: dict[str, object]) -> Request:
    found = request(fields)
    assert found is not None
    return found


def learnt(*entries: dict[str, object]) -> Estimates:
    estimates = Estimates()
    for each in entries:
        estimates.learn(read(each))
    return estimates


def test_a_refused_call_runs_as_long_as_others_of_its_repository() -> None:
    others = [entry(0, seconds) for seconds in (1, 2, 30)] + [entry(0, 90, repository="b.git")] * 9
    estimates = learnt(*others)

    assert estimates.service(read(refused(0, "max_size"))) == pytest.approx(2, rel=0.01)
    assert (estimates.estimated, estimates.unknown) == (1, 0)


def test_or_as_others_of_its_rpc() -> None:
    estimates = learnt(entry(0, 4, repository="b.git"), entry(0, 9, rpc=CLONE))

    assert estimates.service(read(refused(0, "max_size"))) == pytest.approx(4, rel=0.01)


def test_or_for_no_time_where_there_are_none() -> None:
    estimates = learnt(entry(0, 9, rpc=CLONE))

    assert estimates.service(read(refused(0, "max_size"))) == 0
    assert (estimates.estimated, estimates.unknown) == (0, 1)


def test_calls_that_failed_or_never_ran_are_no_measure() -> None:
    estimates = learnt(entry(0, 1), entry(0, 50, code="Internal"), refused(0, "max_time", 70))

    assert estimates.service(read(refused(0, "max_size"))) == pytest.approx(1, rel=0.01)


def test_a_call_that_ran_keeps_its_time() -> None:
    estimates = learnt(entry(0, 1))

    assert estimates.service(read(entry(0, 7))) == 7
    assert estimates.estimated == 0
