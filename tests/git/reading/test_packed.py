from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.git.reading.errors import ReferencesUnreadable
from gitaly_py.git.reading.interface import References
from gitaly_py.git.reading.packed import PackedFile, PackedReferences
from tests.support.repositories import Repo
from tests.support.stamps import settle, unsettle

HEADER = b"# pack-refs with: peeled fully-peeled sorted \n"

Rows = dict[bytes, tuple[str, str]]
"""Name to value and peeled value (or nothing)."""

oids = st.text("0123456789abcdef", min_size=40, max_size=40)
names = st.binary(min_size=1, max_size=6).map(lambda name: b"refs/" + re.sub(rb"[\0- \x7f^]", b"/", name))
files: st.SearchStrategy[Rows] = st.dictionaries(names, st.tuples(oids, oids | st.just("")), max_size=40)


def written(rows: Rows, header: bytes = HEADER) -> bytes:
    lines = [
        b"%s %s\n" % (oid.encode(), name) + (b"^%s\n" % tag.encode() if tag else b"")
        for name, (oid, tag) in rows.items()
    ]
    return header + b"".join(lines)


def in_order(rows: Rows) -> Rows:
    return dict(sorted(rows.items()))


def joined(batches: list[References]) -> list[tuple[bytes, str, str | None]]:
    return [row for batch in batches for row in zip(batch.names, batch.oids, batch.peeled, strict=True)]


@settings(max_examples=100, deadline=None)
@given(files, st.binary(max_size=3), names | st.just(b""), st.booleans())
def test_a_span_holds_what_its_prefix_and_start_say(
    rows: Rows, prefix: bytes, after: bytes, descending: bool
) -> None:
    prefix = b"refs/" + prefix
    packed = PackedReferences(written(in_order(rows)), 40)
    beyond = [name for name in sorted(rows) if not after or (name < after if descending else name > after)]

    begin, end = packed.span(prefix, after=after, descending=descending)
    batches = list(packed.batches(begin, end, descending=descending))

    found = joined(batches[::-1] if descending else batches)
    assert found == [
        (name, rows[name][0], rows[name][1] or rows[name][0]) for name in beyond if name.startswith(prefix)
    ]


@settings(max_examples=50, deadline=None)
@given(files, names)
def test_a_name_is_found_if_it_is_there(rows: Rows, other: bytes) -> None:
    packed = PackedReferences(written(in_order(rows)), 40)

    for name in {*rows, other}:
        assert packed.find(name) == (rows[name][0] if name in rows else None)


@settings(max_examples=50, deadline=None)
@given(files)
def test_a_file_without_order_is_put_in_order(rows: Rows) -> None:
    packed = PackedReferences(written(rows, b"# pack-refs with: peeled fully-peeled \n"), 40)

    assert [name for name, _, _ in joined(list(packed.batches(*packed.span(b"refs/"))))] == sorted(rows)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("tags", [False, True])
def test_large_spans_come_in_growing_batches(descending: bool, tags: bool) -> None:
    rows = {
        b"refs/heads/%06d" % number: (f"{number:040x}", f"{number:040x}" if tags else "")
        for number in range(20_000)
    }
    packed = PackedReferences(written(rows), 40)

    batches = list(packed.batches(*packed.span(b"refs/heads/"), descending=descending))

    assert len(batches[0]) < 100 < len(batches[-2])
    ordered = batches[::-1] if descending else batches
    assert [name for batch in ordered for name in batch.names] == list(rows)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"", [None, None, "2" * 40]),
        (b"# pack-refs with: peeled \n", [None, "3" * 40, "2" * 40]),
        (b"# pack-refs with: peeled fully-peeled \n", ["1" * 40, "3" * 40, "2" * 40]),
    ],
    ids=["no traits", "tags peeled", "all peeled"],
)
def test_the_header_says_what_a_missing_peeled_line_means(header: bytes, expected: list[str | None]) -> None:
    rows: Rows = {
        b"refs/heads/x": ("1" * 40, ""),
        b"refs/tags/light": ("3" * 40, ""),
        b"refs/tags/v": ("4" * 40, "2" * 40),
    }
    packed = PackedReferences(written(rows, header), 40)

    assert [peeled for _, _, peeled in joined(list(packed.batches(*packed.span(b"refs/"))))] == expected


def test_an_id_is_searched_in_values_and_peeled_values_only() -> None:
    wanted = "a" * 40
    rows: Rows = {
        b"refs/heads/" + wanted.encode(): ("1" * 40, ""),
        b"refs/heads/x": (wanted, ""),
        b"refs/tags/v": ("2" * 40, wanted),
    }

    found = [row for stretch in PackedReferences(written(rows), 40).holders(wanted) for row in stretch]

    assert found == [(b"refs/heads/x", wanted), (b"refs/tags/v", "2" * 40)]


@pytest.mark.parametrize("count", [10, 30_000], ids=["copied", "mapped"])
def test_a_state_outlives_the_file_it_came_from(tmp_path: Path, count: int) -> None:
    path = tmp_path / "packed-refs"
    rows: Rows = {b"refs/heads/%05d" % number: ("1" * 40, "") for number in range(count)}
    path.write_bytes(written(rows))
    file = PackedFile(str(tmp_path), 40)
    old = file.current()

    (tmp_path / "new").write_bytes(written({b"refs/heads/new": ("2" * 40, "")}))
    os.replace(tmp_path / "new", path)

    assert len(joined(list(old.batches(*old.span(b"refs/"))))) == count
    assert file.current().find(b"refs/heads/new") == "2" * 40
    path.unlink()
    assert file.current().find(b"refs/heads/new") is None


def test_a_file_that_has_not_changed_is_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "packed-refs"
    path.write_bytes(written({b"refs/heads/x": ("1" * 40, "")}))
    file = PackedFile(str(tmp_path), 40)
    unsettle(path)
    assert file.current() is not file.current(), "it may still change within the same clock step"

    os.utime(path)
    settle(path)
    assert file.current() is file.current()


def test_answers_are_those_of_their_state(tmp_path: Path) -> None:
    path = tmp_path / "packed-refs"
    file = PackedFile(str(tmp_path), 40)
    names = [b"refs/heads/%d" % number for number in range(1000)]
    for digit in "123":
        path.write_bytes(written(dict.fromkeys(sorted(names), (digit * 40, ""))))
        settle(path)
        for _ in range(2):
            assert {file.current().find(name) for name in names} == {digit * 40}
            assert file.current().find(b"refs/heads/none") is None


def test_a_file_cut_off_is_refused(tmp_path: Path) -> None:
    (tmp_path / "packed-refs").write_bytes(written({b"refs/heads/x": ("1" * 40, "")})[:-1])

    with pytest.raises(ReferencesUnreadable, match="unterminated line"):
        PackedFile(str(tmp_path), 40).current()


def test_gits_own_file_is_understood(sha1: Repo) -> None:
    commit = sha1.commit(ref="refs/heads/main")
    tag = sha1.tag("v1", commit)
    sha1.git("pack-refs", "--all")

    packed = PackedFile(sha1.path, 40).current()

    assert joined(list(packed.batches(*packed.span(b"refs/")))) == [
        (b"refs/heads/main", commit, commit),
        (b"refs/tags/v1", tag, commit),
    ]


def test_the_text_of_a_span_comes_in_pieces_of_whole_entries() -> None:
    rows: Rows = {b"refs/%06d" % n: ("1" * 40, "2" * 40 if n % 3 else "") for n in range(5000)}
    text = written(rows)
    packed = PackedReferences(text, 40)

    pieces = list(packed.texts(*packed.span(b"refs/")))

    assert len(pieces) > 3
    assert HEADER + b"".join(pieces) == text
    assert not any(piece.startswith(b"^") for piece in pieces)
    assert all(piece.endswith(b"\n") for piece in pieces)
    assert list(packed.texts(*packed.span(b"refs/none"))) == []
