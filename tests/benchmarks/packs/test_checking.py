"""An answer that is no answer to its request must not pass for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.packs.checking import WrongAnswer, take_in
from benchmarks.packs.requests import Request, clone, everything
from tests.support.repositories import Repo
from tests.support.smarthttp import FLUSH, pack_of, pkt


@pytest.fixture
def source(tmp_path: Path) -> Repo:
    """A repository with a few commits."""
    repo = Repo.init(tmp_path / "source.git")
    repo.history(3, ref="refs/heads/main")
    return repo


def request_of(repo: Repo) -> Request:
    """A clone of everything."""
    return clone("source.git", everything(repo))


def answer(pack: bytes) -> bytes:
    """A pack as protocol v2 wraps it."""
    return pkt("packfile\n") + pkt(b"\x02counting\n") + pkt(b"\x01" + pack) + FLUSH


def test_a_right_answer_passes(source: Repo, tmp_path: Path) -> None:
    take_in(answer(pack_of(source, "main")), request_of(source), tmp_path / "target")


def test_an_answer_that_is_cut_off_is_wrong(source: Repo, tmp_path: Path) -> None:
    with pytest.raises(WrongAnswer, match="of a packet of"):
        take_in(answer(pack_of(source, "main"))[:-10], request_of(source), tmp_path / "target")


def test_a_pack_with_a_gap_is_wrong(source: Repo, tmp_path: Path) -> None:
    gap = pack_of(source, "main", "^main~1")

    with pytest.raises(WrongAnswer):
        take_in(answer(gap), request_of(source), tmp_path / "target")


def test_a_pack_without_what_was_wanted_is_wrong(source: Repo, tmp_path: Path) -> None:
    with pytest.raises(WrongAnswer, match="missing"):
        take_in(answer(pack_of(source, "main~1")), request_of(source), tmp_path / "target")


def test_the_word_of_the_server_that_it_failed_is_passed_on(source: Repo, tmp_path: Path) -> None:
    with pytest.raises(WrongAnswer, match="out of luck"):
        take_in(pkt("packfile\n") + pkt(b"\x03out of luck"), request_of(source), tmp_path / "target")
