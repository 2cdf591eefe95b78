"""Output of `cat-file --batch` and `--batch-check`, in whatever pieces it comes; git writes some of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.git.wire.batch import PIECE, BatchContents, BatchSizes, Part
from gitaly_py.git.wire.errors import MalformedReply, MissingObject
from tests.support.repositories import Repo

OID = b"1234567890" * 4
KINDS = [b"blob", b"tree", b"commit", b"tag"]
contents = st.lists(
    st.binary(max_size=60)
    | st.sampled_from([b"", b"\n\n", b"%b blob 3\nabc\n" % OID])
    | st.integers(PIECE - 1, 3 * PIECE).map(
        lambda size: b"0123456789abcde" * (size // 15) + b"x" * (size % 15)
    ),
    max_size=6,
)
steps = st.lists(st.integers(1, 2 * PIECE) | st.integers(1, 70), min_size=1, max_size=8)


def whole(parts: list[Part]) -> list[tuple[bytes, int, bytes]]:
    """Parts of the same object put together; none of them is larger than allowed."""
    found: list[tuple[bytes, int, bytes]] = []
    for oid, size, data in parts:
        assert len(data) <= PIECE
        if oid:
            found.append((oid, size, data))
        else:
            assert (size, data[:1]) != (0, b"")
            first, total, before = found.pop()
            found.append((first, total, before + data))
    return found


def pieces(output: bytes, sizes: list[int]) -> list[bytes]:
    """`output` cut into pieces of these sizes, over and over."""
    cut, at = [], 0
    while at < len(output):
        size = sizes[len(cut) % len(sizes)]
        cut.append(output[at : at + max(size, len(output) // 200)])
        at += len(cut[-1])
    return cut


@settings(max_examples=80, deadline=None)
@given(contents, steps, st.sampled_from([-1, 1, 7, PIECE, PIECE + 1, 10 * PIECE]))
def test_contents_come_out_however_the_output_is_cut(
    blobs: list[bytes], sizes: list[int], limit: int
) -> None:
    output = b"".join(b"%b blob %d\n%b\n" % (OID, len(blob), blob) for blob in blobs)
    parser = BatchContents(limit)
    parts = [part for piece in pieces(output, sizes) for part in parser.feed(piece)]

    assert whole(parts) == [(OID, len(blob), blob if limit < 0 else blob[:limit]) for blob in blobs]
    assert not parser.within


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 10**12)), max_size=20), steps)
def test_sizes_of_blobs_come_out_however_the_output_is_cut(
    entries: list[tuple[bytes, int]], sizes: list[int]
) -> None:
    output = b"".join(b"%040d %b %d\n" % (number, kind, size) for number, (kind, size) in enumerate(entries))
    parser = BatchSizes()
    found = [parser.feed(piece) for piece in pieces(output, sizes)]

    assert [pair for each in found for pair in zip(*each, strict=True)] == [
        (b"%040d" % number, b"%d" % size) for number, (kind, size) in enumerate(entries) if kind == b"blob"
    ]


def test_it_is_known_whether_an_object_goes_on() -> None:
    parser = BatchContents()
    begun = parser.feed(b"%b blob %d\n" % (OID, PIECE + 5) + b"x" * 10)
    assert (begun, parser.within) == ([(OID, PIECE + 5, b"x" * 10)], True)
    assert parser.feed(b"y" * PIECE)[0] == (b"", 0, b"y" * (PIECE - 5))
    assert not parser.within


def test_nothing_is_given_out_of_a_large_object_before_its_bytes_come() -> None:
    parser = BatchContents()
    assert parser.feed(b"%b blob %d\n" % (OID, PIECE + 1)) == []
    assert parser.feed(b"x")[0] == (OID, PIECE + 1, b"x")


@pytest.mark.parametrize("parser", [BatchContents(), BatchSizes()])
def test_a_missing_object_is_an_error(parser: BatchContents | BatchSizes) -> None:
    with pytest.raises(MissingObject) as raised:
        parser.feed(b"%b missing\n" % OID)
    assert (raised.value.oid, str(raised.value)) == (OID.decode(), "object not found")


def test_what_follows_no_form_is_refused() -> None:
    with pytest.raises(MalformedReply):
        BatchContents().feed(b"hello\n")


def test_git_writes_what_is_taken_apart(tmp_path: Path) -> None:
    repo = Repo.init(tmp_path / "r.git", "sha256")
    blobs = {repo.blob(data): data for data in (b"", b"one\n", b"\0" * PIECE * 2)}
    asked = "\n".join(blobs) + "\n"

    contents_found = BatchContents().feed(repo.git_bytes("cat-file", "--batch", stdin=asked))
    sizes_found = BatchSizes().feed(repo.git_bytes("cat-file", "--batch-check", stdin=asked))

    assert whole(contents_found) == [(oid.encode(), len(data), data) for oid, data in blobs.items()]
    assert sizes_found.oids == [oid.encode() for oid in blobs]
    assert sizes_found.sizes == [b"%d" % len(data) for data in blobs.values()]
    with pytest.raises(MissingObject):
        BatchSizes().feed(repo.git_bytes("cat-file", "--batch-check", stdin="1" * 64 + "\n"))
