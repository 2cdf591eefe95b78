"""Counts of lines (diff-conflicts.md 5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.git.wire.errors import MalformedStats
from gitaly_py.git.wire.numstat import FileStats, NumStat, count_of

PATHS = st.binary(min_size=1, max_size=12).map(lambda path: path.replace(b"\0", b"\t"))
COUNTS = st.one_of(st.just(b"-"), st.integers(0, 10**9).map(b"%d".__mod__))
FILES = st.tuples(COUNTS, COUNTS, PATHS, st.one_of(st.just(b""), PATHS))


def fields_of(file: FileStats) -> list[bytes]:
    added, removed, path, old_path = file
    counts = b"%b\t%b\t" % (added, removed)
    return [counts, old_path, path] if old_path else [counts + path]


@given(st.lists(FILES, max_size=8), st.data())
def test_records_are_found_wherever_the_output_is_cut(files: list[FileStats], data: st.DataObject) -> None:
    fields = [field for file in files for field in fields_of(file)]
    parser = NumStat()
    found: list[FileStats] = []

    while fields:
        size = data.draw(st.integers(1, len(fields)))
        found += parser.feed(fields[:size])
        fields = fields[size:]
    parser.end()

    assert found == files


def test_binary_files_have_no_lines() -> None:
    assert [count_of(digits) for digits in (b"-", b"0", b"12")] == [0, 0, 12]


@pytest.mark.parametrize("digits", [b"", b"x", b"-1", b"1 ", b"--"])
def test_other_numbers_are_refused(digits: bytes) -> None:
    with pytest.raises(MalformedStats, match="error parsing "):
        count_of(digits)


@pytest.mark.parametrize("record", [b"", b"1", b"1\t2"])
def test_other_records_are_refused(record: bytes) -> None:
    with pytest.raises(MalformedStats, match="error parsing "):
        NumStat().feed([record])


@pytest.mark.parametrize("fields", [[b"1\t1\t"], [b"1\t1\t", b"old"]])
def test_an_output_that_ends_in_a_record_is_refused(fields: list[bytes]) -> None:
    parser = NumStat()

    assert parser.feed(fields) == []
    with pytest.raises(MalformedStats, match=r'error parsing "1\\t1\\t"'):
        parser.end()
