"""Records of raw diffs (diff-conflicts.md 6.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.git.wire.errors import MalformedDiff
from gitaly_py.git.wire.objects import SHA1, SHA256, ObjectFormat
from gitaly_py.git.wire.rawdiff import Change, RawDiff, parse_meta

PATHS = st.binary(min_size=1, max_size=12).map(lambda path: path.replace(b"\0", b"/"))
MODES = st.sampled_from([0, 0o100644, 0o100755, 0o120000, 0o160000])


@st.composite
def metas(draw: st.DrawFn, digits: int) -> tuple[bytes, Change]:
    """A meta as git writes it, and what it says."""
    parents = draw(st.sampled_from([1, 1, 1, 2, 3]))
    modes = draw(st.lists(MODES, min_size=parents + 1, max_size=parents + 1))
    ids = st.sampled_from([b"0" * digits, b"12" * (digits // 2), b"ef" * (digits // 2)])
    oids = draw(st.lists(ids, min_size=parents + 1, max_size=parents + 1))
    statuses = draw(st.text("AMDTRCX", min_size=parents, max_size=parents)).encode()
    score = b"087" if parents == 1 and statuses in b"RC" else b""
    fields = [b"%06o" % mode for mode in modes] + oids
    meta = b":" * parents + b" ".join(fields) + b" " + statuses + score
    return meta, Change(tuple(modes[:-1]), modes[-1], tuple(oids[:-1]), oids[-1], statuses)


@st.composite
def outputs(draw: st.DrawFn) -> tuple[ObjectFormat, list[bytes], list[tuple[bytes, Change, bytes, bytes]]]:
    """Fields as git writes them; and each record with the commit it belongs to, source and path."""
    object_format = draw(st.sampled_from([SHA1, SHA256]))
    digits = object_format.hex_length
    fields: list[bytes] = []
    expected = []
    commit = trees = b""
    for _ in range(draw(st.integers(0, 6))):
        header = draw(st.sampled_from(["", "commit", "trees"]))
        if header == "commit" and not trees:
            commit = draw(st.sampled_from([b"a", b"b"])) * digits
            fields.append(commit)
        elif header == "trees":
            trees += b"%s %s\n" % (b"1" * digits, b"2" * digits)
            continue
        for _ in range(draw(st.integers(1, 4))):
            meta, change = draw(metas(digits))
            path = draw(PATHS)
            source = draw(PATHS) if len(change.statuses) == 1 and change.statuses in b"RC" else b""
            fields += [trees + meta, source, path] if source else [trees + meta, path]
            trees = b""
            expected.append((commit, change, source, path))
    return object_format, fields, expected


@given(outputs(), st.data())
def test_records_are_found_wherever_the_output_is_cut(
    output: tuple[ObjectFormat, list[bytes], list[tuple[bytes, Change, bytes, bytes]]], data: st.DataObject
) -> None:
    object_format, fields, expected = output
    diff = RawDiff(object_format)
    found = []

    while fields:
        size = data.draw(st.integers(1, len(fields)))
        for run in diff.feed(fields[:size]):
            assert len(run.metas) == len(run.paths)
            assert run.change is None or [run.change] == [parse_meta(meta) for meta in run.metas]
            found += [
                (diff.commit, parse_meta(meta), run.source, path)
                for meta, path in zip(run.metas, run.paths, strict=True)
            ]
        fields = fields[size:]
    diff.end()

    assert found == expected


def test_long_runs_are_given_whole() -> None:
    meta = b":100644 100755 %s %s M" % (b"1" * 40, b"2" * 40)
    fields = [field for number in range(1000) for field in (meta, b"%d" % number)]

    runs = list(RawDiff(SHA1).feed(fields))

    assert [path for run in runs for path in run.paths] == [b"%d" % number for number in range(1000)]
    assert all(run.change is None for run in runs)
    assert len(runs) < 20


def test_trees_without_changes_are_no_record() -> None:
    diff = RawDiff(SHA1)

    assert list(diff.feed([b"%s %s\n" % (b"1" * 40, b"2" * 40)])) == []
    diff.end()


@pytest.mark.parametrize(
    "meta",
    [
        b"",
        b"x",
        b":100644 100644 1 2",
        b":100644 1 2 M",
        b"::100644 100644 1 2 M",
        b":100644 100644 100644 1 2 M",
        b":100644 100644 1 2 MM",
        b":100648 100644 1 2 M",
        b":100644 100644 1 2 m",
        b":100644 100644 1 G M",
    ],
)
def test_other_records_are_refused(meta: bytes) -> None:
    with pytest.raises(MalformedDiff, match="parse failure: "):
        parse_meta(meta)
    with pytest.raises(MalformedDiff):
        list(RawDiff(SHA1).feed([meta, b"path"]))


@pytest.mark.parametrize("paths", [[], [b"source"]])
def test_an_output_that_ends_in_a_record_is_refused(paths: list[bytes]) -> None:
    meta = b":100644 100644 %s %s R100" % (b"1" * 40, b"2" * 40)
    diff = RawDiff(SHA1)

    assert list(diff.feed([meta, *paths])) == []
    with pytest.raises(MalformedDiff, match="ends within a record"):
        diff.end()
