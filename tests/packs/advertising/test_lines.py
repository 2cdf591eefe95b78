"""The packets of a list, and how a long one is cut into its parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.git.reading.names import is_safe_name
from gitaly_py.git.wire.pktline import FLUSH, encode
from gitaly_py.packs.advertising.lines import Undecided, joined, line, packed_lines, put, split

OID = "a" * 40
OTHER = "b" * 40

names = st.text("ab/.@{-~\x7f é", min_size=1, max_size=8).map(lambda name: b"refs/" + name.encode())


@given(names, st.booleans())
def test_a_name_in_packed_refs_is_taken_when_git_would(name: bytes, tag: bool) -> None:
    entry = b"%b %b\n" % (OID.encode(), name) + (b"^%b\n" % OTHER.encode() if tag else b"")

    if is_safe_name(name):
        peeled = b" peeled:" + OTHER.encode() if tag else b""
        text = b"%b %b" % (OID.encode(), name)
        assert joined(packed_lines(entry, peel=True)) == encode(text + peeled + b"\n")
        assert joined(packed_lines(entry, peel=False)) == encode(text + b"\n")
    else:
        with pytest.raises(Undecided):
            packed_lines(entry, peel=True)


@pytest.mark.parametrize(
    "entries",
    [
        b"\n", b"x\n", b"^" + b"a" * 40 + b"\n", b"A" * 40 + b" refs/a\n", b"a" * 39 + b" refs/a\n",
        b"a" * 40 + b"  refs/a\n", b"a" * 40 + b" refs/a", b"a" * 40 + b" HEAD\n",
        b"a" * 40 + b" refs/a\n^" + b"b" * 39 + b"\n", b"a" * 40 + b" refs/" + b"a" * 65520 + b"\n",
    ],
    ids=lambda entries: repr(entries[-60:]),
)  # fmt: skip
def test_what_git_might_not_read_alike_is_left_to_it(entries: bytes) -> None:
    with pytest.raises(Undecided):
        packed_lines(entries, peel=True)


def test_loose_references_take_the_place_of_packed_ones() -> None:
    packed = b"".join(b"%b refs/%b\n" % (OID.encode(), name) for name in (b"a", b"a-b", b"a/b", b"c"))
    tag = b"%b refs/d\n^%b\n" % (OID.encode(), OTHER.encode())
    lines = packed_lines(packed + tag, peel=True)

    put(
        lines,
        {
            b"refs/a": line(b"refs/a", OTHER),
            b"refs/a.b": line(b"refs/a.b", OTHER, b"refs/a"),
            b"refs/c": None,
            b"refs/d": line(b"refs/d", OTHER),
            b"refs/none": None,
            b"refs/z": line(b"refs/z", OTHER, None, OID),
        },
    )

    assert [packet[4:] for packet in lines] == [
        b"%b refs/a" % OTHER.encode(),
        b"%b refs/a-b" % OID.encode(),
        b"%b refs/a.b symref-target:refs/a" % OTHER.encode(),
        b"%b refs/a/b" % OID.encode(),
        b"%b refs/d" % OTHER.encode(),
        b"%b refs/z peeled:%b" % (OTHER.encode(), OID.encode()),
    ]


@given(st.sets(st.text("abc", min_size=1, max_size=3)), st.sets(st.sampled_from("abc")), st.integers(0, 2))
def test_an_answer_is_cut_where_its_parts_meet(found: set[str], asked: set[str], head: int) -> None:
    parts = [f"refs/{letter}".encode() for letter in sorted(asked)]
    pieces = [
        joined([line(b"refs/" + name.encode(), OID) for name in sorted(found) if name[0] == letter])
        for letter in sorted(asked)
    ]
    if head:
        own = line(b"HEAD", "unborn", b"refs/heads/" + b"z" * 40) if head == 1 else line(b"HEAD", OID)
        parts, pieces = [b"HEAD", *parts], [joined([own]), *pieces]

    assert split(b"".join(pieces) + FLUSH, parts, 40) == pieces
