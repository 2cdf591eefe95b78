"""Pairs of commits that range-diff prints (diff-conflicts.md 8)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.git.wire.errors import MalformedDiff
from gitaly_py.git.wire.rangediff import Pair, RangeDiff

ID = b"0123456789" * 4
DASHES = b"-" * 40
LINE = st.binary(max_size=20).map(lambda line: line.replace(b"\n", b" "))


@st.composite
def outputs(draw: st.DrawFn) -> tuple[list[bytes], list[Pair | bytes]]:
    """Lines as git writes them, and what they say."""
    width = draw(st.integers(1, 3))
    lines: list[bytes] = []
    expected: list[Pair | bytes] = []
    for number in range(draw(st.integers(0, 6))):
        sign = draw(st.sampled_from([b"=", b"!", b"<", b">"]))
        old = DASHES if sign == b">" else ID
        new = DASHES if sign == b"<" else ID
        numbers = [b"-" if oid == DASHES else b"%d" % number for oid in (old, new)]
        left, right = (column.rjust(width) for column in numbers)
        title = draw(LINE)
        lines.append(b"%s:  %s %s %s:  %s %s" % (left, old, sign, right, new, title))
        expected.append(Pair(old, sign, new, title))
        if sign == b"!":
            patch = draw(st.lists(st.one_of(LINE, st.sampled_from(lines)), max_size=4))
            lines += [b"    " + line for line in patch]
            expected += [line + b"\n" for line in patch]
    return lines, expected


@given(outputs(), st.integers(1, 5))
def test_pairs_are_found_with_their_patches(
    output: tuple[list[bytes], list[Pair | bytes]], size: int
) -> None:
    lines, expected = output
    parser = RangeDiff()

    found = [
        part for start in range(0, len(lines), size) for part in parser.feed(lines[start : start + size])
    ]

    assert found == expected


@pytest.mark.parametrize(
    "lines",
    [
        [b"    patch"],
        [b""],
        [b"1:  %s = 1:  %s title" % (ID, ID), b"    patch"],
        [b"1:  %s ! 1:  %s title" % (ID, ID), b"   "],
        [b"1:  %s ? 1:  %s title" % (ID, ID)],
        [b"x:  %s = 1:  %s title" % (ID, ID)],
    ],
)
def test_other_lines_are_refused(lines: list[bytes]) -> None:
    with pytest.raises(MalformedDiff, match="parse failure: "):
        list(RangeDiff().feed(lines))


def test_a_title_may_be_empty() -> None:
    lines = [b"1:  %s = 1:  %s" % (ID, ID), b"2:  %s ! 2:  %s" % (ID, ID), b"    line"]

    assert list(RangeDiff().feed(lines)) == [Pair(ID, b"=", ID, b""), Pair(ID, b"!", ID, b""), b"line\n"]
