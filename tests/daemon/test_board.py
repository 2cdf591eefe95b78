"""What workers know of each other without asking."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from gitaly_py.daemon.board import Board


@pytest.fixture
def board() -> Iterator[Board]:
    made = Board.new()
    yield made
    made.close()


def test_the_worker_with_the_fewest_connections_takes_the_next(board: Board) -> None:
    one, other = board.share(0), board.share(7)
    one.hold(0)
    other.hold(0)
    assert one.is_mine()
    assert other.is_mine()

    one.hold(1)

    assert not one.is_mine()
    assert other.is_mine()
    other.hold(2)
    assert one.is_mine()
    assert not other.is_mine()


def test_who_accepts_nothing_does_not_count(board: Board) -> None:
    one, other = board.share(0), board.share(1)
    one.hold(5)
    other.hold(0)
    other.leave()
    assert one.is_mine()

    other.hold(0)
    assert not one.is_mine()
    board.clear(1)
    assert one.is_mine()


def test_a_generation_is_raised_for_all_workers(board: Board) -> None:
    again = Board(os.dup(board.fd))
    mine, theirs = board.generations(1), again.generations(2)
    before = theirs.of("/a")

    mine.raise_of("/a")

    assert mine.of("/a") == theirs.of("/a") != before
    again.close()


def test_no_two_raises_make_the_same_generation(board: Board) -> None:
    mine, theirs = board.generations(1), board.generations(2)
    seen = {mine.of("/a")}

    for table in (mine, theirs, mine, theirs):
        table.raise_of("/a")
        assert table.of("/a") not in seen
        seen.add(table.of("/a"))
