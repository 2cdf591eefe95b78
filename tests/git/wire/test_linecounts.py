"""Sums of `git diff --numstat`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.git.wire.errors import MalformedOutput
from gitaly_py.git.wire.linecounts import Totals

counts = st.integers(0, 10**6)


@given(st.lists(st.one_of(st.none(), st.tuples(counts, counts)), max_size=20), st.integers(0, 20))
def test_lines_of_text_are_summed_and_binary_files_only_counted(
    files: list[tuple[int, int] | None], cut: int
) -> None:
    lines = [b"-\t-\tname" if each is None else b'%d\t%d\t"na\\tme"' % each for each in files]
    totals = Totals()
    totals.add(lines[:cut])
    totals.add(lines[cut:])

    text = [each for each in files if each is not None]
    assert (totals.files, totals.additions, totals.deletions) == (
        len(files),
        sum(added for added, _ in text),
        sum(deleted for _, deleted in text),
    )


@pytest.mark.parametrize("line", [b"", b"1\t2", b"1\t-\tx", b"-\t1\tx", b"x\t1\ty", b" 1\t2\tx"])
def test_anything_else_is_refused(line: bytes) -> None:
    with pytest.raises(MalformedOutput):
        Totals().add([line])
