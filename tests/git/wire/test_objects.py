"""Raw trees and object formats."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.git.wire.errors import MalformedObject
from gitaly_py.git.wire.objects import OBJECT_FORMATS, SHA1, SHA256, TreeEntry, parse_tree
from tests.support.repositories import Repo

FORMATS = ["sha1", "sha256"]


@pytest.mark.parametrize("object_format", FORMATS)
def test_trees_hold_what_git_lists(tmp_path: Path, object_format: str) -> None:
    repo = Repo.init(tmp_path / "r.git", object_format)
    commit = repo.commit()
    tree = repo.tree(
        {
            b"a\xff": b"1",
            "b/c": b"2",
            "run": ("100755", b"3"),
            "link": ("120000", b"a"),
            "module": ("160000", commit),
        }
    )
    entries = parse_tree(repo.git_bytes("cat-file", "tree", tree), repo.format)
    listed = repo.git_bytes("ls-tree", "-z", tree)
    assert (
        b"".join(b"%06o %b %b\t%b\0" % (e.mode, e.type.encode(), e.oid.encode(), e.name) for e in entries)
        == listed
    )


@pytest.mark.parametrize("object_format", FORMATS)
def test_the_empty_tree_and_the_zero_id_belong_to_the_format(tmp_path: Path, object_format: str) -> None:
    repo = Repo.init(tmp_path / "r.git", object_format)
    assert OBJECT_FORMATS[object_format].empty_tree == repo.git("mktree")
    assert len(repo.format.zero_oid) == repo.format.hex_length == 2 * repo.format.raw_length
    assert parse_tree(b"", repo.format) == []


def test_modes_are_kept_as_stored() -> None:
    data = b"100664 a\0" + bytes(20) + b"040000 b\0" + bytes(20)
    assert [(each.mode, each.type) for each in parse_tree(data, SHA1)] == [
        (0o100664, "blob"),
        (0o40000, "tree"),
    ]


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 0o177777), st.binary(max_size=5), st.binary(min_size=32, max_size=32)))
)
def test_trees_survive_encoding(items: list[tuple[int, bytes, bytes]]) -> None:
    entries = [TreeEntry(mode, name.replace(b"\0", b"x"), oid.hex()) for mode, name, oid in items]
    data = b"".join(b"%o %b\0%b" % (each.mode, each.name, bytes.fromhex(each.oid)) for each in entries)
    assert parse_tree(data, SHA256) == entries
    if data:
        with pytest.raises(MalformedObject):
            parse_tree(data[:-1], SHA256)


@pytest.mark.parametrize(
    "data", [b"x", b"100644 a", b"100644\0" + bytes(20), b"9 a\0" + bytes(20), b" a\0" + bytes(20)]
)
def test_other_bytes_are_no_tree(data: bytes) -> None:
    with pytest.raises(MalformedObject):
        parse_tree(data, SHA1)
