"""Who makes a pack and who follows, told by messages alone."""

from __future__ import annotations

from typing import Any

from gitaly_py.packs.leases.ledger import Ledger
from gitaly_py.packs.leases.messages import (
    UNKNOWN,
    Began,
    Completed,
    Follow,
    Followed,
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
