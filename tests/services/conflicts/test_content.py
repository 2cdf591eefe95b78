"""Replacing texts in content that comes in pieces (diff-conflicts.md 10.3)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.services.conflicts.content import Replacement

LETTERS = st.sampled_from([b"a", b"b", b"c"])


@given(
    pieces=st.lists(st.lists(LETTERS, max_size=8).map(b"".join), max_size=12),
    old=st.lists(LETTERS, min_size=1, max_size=4).map(b"".join),
    new=st.lists(LETTERS, max_size=5).map(b"".join),
)
def test_it_does_not_matter_where_the_text_is_cut(pieces: list[bytes], old: bytes, new: bytes) -> None:
    replacement = Replacement(old, new)

    replaced = b"".join(replacement.feed(piece) for piece in pieces) + replacement.end()

    assert replaced == b"".join(pieces).replace(old, new)


@given(
    pieces=st.lists(st.lists(LETTERS, max_size=8).map(b"".join), max_size=12),
    old=st.lists(LETTERS, min_size=1, max_size=4).map(b"".join),
)
def test_no_more_is_held_back_than_may_begin_the_text(pieces: list[bytes], old: bytes) -> None:
    replacement = Replacement(old, old)

    sent = b""
    for number, piece in enumerate(pieces):
        sent += replacement.feed(piece)
        assert len(b"".join(pieces[: number + 1])) - len(sent) < len(old)

    assert sent + replacement.end() == b"".join(pieces)
