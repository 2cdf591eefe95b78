from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitaly_py.limits.simulation.simulator import Gate
from gitaly_py.limits.simulation.tally import Tally
from gitaly_py.planning.recorded import Recorded
from gitaly_py.planning.requests import request
from tests.support.access_log import BEGIN, delayed, entry, refused

RPC: Gate = ("perRPC/x", "a.git")
PACKS: Gate = ("packObjects", "10.0.0.1")


def followed(*entries: dict[str, Any], gates: Sequence[Gate] = (RPC,)) -> dict[str, Tally]:
    recorded = Recorded()
    for each in entries:
        found = request(each)
        assert found is not None
        recorded.follow(found, round(found.arrival - BEGIN, 6), gates)
    recorded.finish()
    assert all(tally.total.running == tally.total.waiting == 0 for tally in recorded.board.limiters.values())
    return {name: tally.total for name, tally in recorded.board.limiters.items()}


def test_calls_wait_and_run_when_they_did() -> None:
    total = followed(entry(0, 10), delayed(1, 10, 9), delayed(2, 12, 10))[RPC[0]]

    assert (total.calls, total.delayed, total.peak_running, total.peak_waiting) == (3, 2, 1, 2)
    assert (total.waits.sum, total.waits.greatest) == (19, 10)


def test_refused_calls_waited_until_they_were_refused() -> None:
    total = followed(refused(0, "max_time", 5), refused(1, "max_size"), refused(2, "other", 1))[RPC[0]]

    assert total.refused == {"max_time": 1, "max_size": 1, "other": 1}
    assert (total.first_refusal, total.last_refusal) == (1, 5)
    assert (total.peak_running, total.peak_waiting, total.waits.count, total.delayed) == (0, 2, 0, 2)


def test_what_a_call_says_of_others_counts_for_more_than_their_ends() -> None:
    # As their log has it, each comes two milliseconds before the last one is gone.
    late = [delayed(at + 0.5, 1.502, 0.5) for at in range(5)]

    assert followed(*late)[RPC[0]].peak_running == 1
    for each in late:
        del each["limit.concurrency_in_progress"]
    assert followed(*late)[RPC[0]].peak_running == 2


def test_one_wait_is_not_counted_for_two_limiters() -> None:
    of_rpc = followed(delayed(0, 5, 3), gates=(RPC, PACKS))
    assert [of_rpc[name].waits.sum for name, _ in (RPC, PACKS)] == [3, 0]

    by_packs = {**delayed(0, 5, 3), "limit.limiting_type": "pack-objects", "limit.limiting_key": PACKS[1]}
    of_packs = followed(by_packs, gates=(RPC, PACKS))
    assert [of_packs[name].waits.sum for name, _ in (RPC, PACKS)] == [0, 3]


def test_who_is_refused_a_pack_had_a_slot_of_its_rpc() -> None:
    of_packs = {
        **refused(0, "max_time", 3), "limit.limiting_type": "pack-objects", "limit.limiting_key": PACKS[1],
    }  # fmt: skip
    totals = followed(of_packs, gates=(RPC, PACKS))

    assert (totals[RPC[0]].waits.count, totals[RPC[0]].refusals, totals[RPC[0]].peak_running) == (1, 0, 1)
    assert totals[PACKS[0]].refused == {"max_time": 1}


def test_who_is_refused_by_its_rpc_never_asks_for_a_pack() -> None:
    assert PACKS[0] not in followed(refused(0, "max_size"), gates=(RPC, PACKS))


def test_nothing_is_left_of_calls_that_took_no_time() -> None:
    assert followed(entry(0, 0))[RPC[0]].waits.count == 1
