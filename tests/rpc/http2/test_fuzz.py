"""The fuzz target itself: a few executions, and what becomes of a finding."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from random import Random

import pytest

from gitaly_py.rpc.http2.limits import Limits
from tests.rpc.http2.fuzz import Fuzzer, Input, bounded_time, execute
from tests.support.http2 import PREFACE, Frame, data, goaway, headers, settings, window_update
from tests.support.http2_driver import Driver, Ledger, Violation


def test_changed_sessions_bring_no_finding(tmp_path: Path) -> None:
    fuzzer = Fuzzer(1, tmp_path)

    for _ in range(300):
        fuzzer.step()

    assert fuzzer.found == []
    assert len(fuzzer._seen) > 20


def test_input_is_saved_with_all_that_its_execution_follows_from(tmp_path: Path) -> None:
    given = Input(PREFACE + settings().octets + headers(1, end=True).octets, 4711)

    saved = Input.load(given.save(tmp_path))

    assert saved == given
    assert execute(saved) == execute(given)


def test_input_that_takes_too_long_is_a_finding() -> None:
    with pytest.raises(Violation, match="seconds for one input"), bounded_time():
        any(number < 0 for number in count())


@pytest.mark.parametrize(
    ("frames", "violation"),
    [
        pytest.param([data(1, bytes(16385))], "frame larger than the client takes", id="frame size"),
        pytest.param([data(1, bytes(16000))] * 5, "stream window overrun", id="stream window"),
        pytest.param([headers(1, flags=0), data(1)], "header block interrupted", id="header block"),
        pytest.param([window_update(0, 0)], "wrong credit", id="credit"),
        pytest.param([goaway(5), goaway(7)], "last stream rose", id="goaway"),
    ],
)
def test_wrong_answers_are_noticed(frames: list[Frame], violation: str) -> None:
    with pytest.raises(Violation, match=violation):
        Ledger().sent(frames)


def test_answers_beyond_the_window_of_the_connection_are_noticed() -> None:
    ledger = Ledger()
    ledger.granted(PREFACE + window_update(1, 1 << 20).octets)

    with pytest.raises(Violation, match="connection window overrun"):
        ledger.sent([data(1, bytes(16000))] * 5)


def test_lost_credit_is_noticed() -> None:
    driver = Driver(Limits(), Random(1))
    driver.receive(PREFACE + settings().octets + headers(1).octets)
    driver.core._receiver._credit -= 1

    with pytest.raises(Violation, match="credit of the connection is lost"):
        driver.receive(data(1, b"x").octets)
