"""Who makes a pack and who follows, told by messages alone."""

from __future__ import annotations

import asyncio
from typing import Any

from gitaly_py.packs.leases.client import Foreign, Leases
from gitaly_py.packs.leases.ledger import Ledger
from gitaly_py.packs.leases.messages import (
    UNKNOWN,
    Began,
    Completed,
    Follow,
    Followed,
    Follows,
    Gone,
    Lead,
    Left,
    Seek,
)


class Worker:
    """Keeps what it is told."""

    def __init__(self, ledger: Ledger) -> None:
        self.told: list[Any] = []
        self._reader = ledger.reader(self.told.append)

    def says(self, *messages: Any) -> None:
        for message in messages:
            self._reader.receive(message)

    def ends(self) -> None:
        self._reader.close()

    def heard(self) -> list[Any]:
        """What was said since the last time."""
        told = list(self.told)
        self.told.clear()
        return told


def two(ledger: Ledger) -> tuple[Worker, Worker]:
    return Worker(ledger), Worker(ledger)


def test_the_first_leads_and_the_others_follow() -> None:
    maker, other = two(Ledger())
    maker.says(Seek(1, "k"), Began("k", "/file"))
    assert maker.heard() == [Lead(1)]

    other.says(Seek(7, "k"))

    assert other.heard() == [Follow(7, "/file", UNKNOWN)]
    assert maker.heard() == [Followed("k", 1)]
    maker.says(Completed("k", 42))
    assert other.heard() == [Completed("k", 42)]
    other.says(Left("k"))
    assert maker.heard() == [Followed("k", 0)]
    other.says(Seek(8, "k"))
    assert other.heard() == [Follow(8, "/file", 42)]


def test_who_asks_before_there_is_a_file_waits_for_it() -> None:
    maker, other = two(Ledger())
    maker.says(Seek(1, "k"))
    other.says(Seek(2, "k"))
    assert other.heard() == []

    maker.says(Began("k", "/file"))

    assert other.heard() == [Follow(2, "/file", UNKNOWN)]


def test_who_waits_leads_if_the_first_gives_up() -> None:
    maker, other = two(Ledger())
    maker.says(Seek(1, "k"))
    other.says(Seek(2, "k"))

    maker.says(Gone("k"))

    assert other.heard() == [Lead(2)]
    other.says(Began("k", "/other"))
    maker.says(Seek(3, "k"))
    assert maker.heard() == [Lead(1), Follow(3, "/other", UNKNOWN)]


def test_followers_are_told_when_a_pack_is_gone() -> None:
    ledger = Ledger()
    maker, other = two(ledger)
    maker.says(Seek(1, "k"), Began("k", "/file"))
    other.says(Seek(1, "k"))
    other.heard()

    maker.says(Gone("k"))

    assert other.heard() == [Gone("k")]
    assert len(ledger) == 0


def test_a_worker_that_ends_leaves_nothing() -> None:
    ledger = Ledger()
    maker, other = two(ledger)
    maker.says(Seek(1, "a"), Began("a", "/a"), Completed("a", 1))
    other.says(Seek(1, "b"), Began("b", "/b"), Seek(2, "a"))
    maker.says(Seek(2, "b"))
    other.heard()
    maker.heard()

    maker.ends()

    assert other.heard() == [Gone("a"), Followed("b", 0)]
    assert len(ledger) == 1
    other.ends()
    assert len(ledger) == 0


def test_a_worker_that_ended_while_it_waited_is_not_told_to_lead() -> None:
    ledger = Ledger()
    maker, other = two(ledger)
    maker.says(Seek(1, "k"))
    other.says(Seek(2, "k"))
    other.ends()

    maker.says(Gone("k"))

    assert other.heard() == []
    assert len(ledger) == 0


def test_only_the_leader_speaks_for_a_pack() -> None:
    ledger = Ledger()
    maker, other = two(ledger)
    maker.says(Seek(1, "k"), Began("k", "/file"))

    other.says(Gone("k"), Completed("k", 5), Began("k", "/elsewhere"), Left("k"))

    assert maker.heard() == [Lead(1)]
    other.says(Seek(1, "k"))
    assert other.heard() == [Follow(1, "/file", UNKNOWN)]


def test_a_new_ledger_knows_what_it_is_told() -> None:
    maker, other = two(Ledger())

    maker.says(Began("k", "/file"), Completed("k", 42))
    other.says(Follows("k"))

    assert maker.heard() == [Followed("k", 1)]
    assert other.heard() == [Completed("k", 42)]
    other.says(Seek(1, "k"))
    assert other.heard() == [Follow(1, "/file", 42)]


def test_who_follows_what_nobody_makes_hears_of_it() -> None:
    maker, other = two(Ledger())
    maker.says(Seek(1, "sought"))

    for key in ("unknown", "sought"):
        other.says(Follows(key))
        assert other.heard() == [Gone(key)]


def test_of_two_that_make_a_pack_the_first_is_followed() -> None:
    ledger = Ledger()
    maker, other = two(ledger)
    maker.says(Began("k", "/file"))

    other.says(Began("k", "/other"), Completed("k", 7), Gone("k"))

    third = Worker(ledger)
    third.says(Seek(1, "k"))
    assert third.heard() == [Follow(1, "/file", UNKNOWN)]


async def test_a_worker_tells_a_new_ledger_what_there_is() -> None:
    told: list[Any] = []
    former = Leases(lambda _: None)
    followed: list[int] = []
    for key in ("made", "whole"):
        former.lead(key, f"/{key}", followed.append)
    former.complete("whole", 42)
    seeking = [asyncio.create_task(former.seek(key)) for key in ("read", "sought")]
    await asyncio.sleep(0)
    former.receive(Follow(1, "/read", UNKNOWN))
    read = await seeking[0]
    assert isinstance(read, Foreign)

    former.resume(told.append)

    assert told == [
        Began("made", "/made"),
        Began("whole", "/whole"),
        Completed("whole", 42),
        Follows("read"),
        Seek(2, "sought"),
    ]
    former.receive(Completed("read", 7))
    former.receive(Followed("whole", 3))
    former.receive(Lead(2))
    assert (read.size, followed, await seeking[1]) == (7, [3], None)
