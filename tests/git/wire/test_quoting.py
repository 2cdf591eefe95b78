"""git's quoting of paths (diff-conflicts.md 1.1)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.git.wire.quoting import quote, quoted, unquote
from tests.support.repositories import Repo


@given(st.binary(max_size=20))
def test_what_is_quoted_is_unquoted(path: bytes) -> None:
    assert unquote(quoted(path)) == path
    if not path.startswith(b'"'):
        assert unquote(quote(path)) == path


def test_every_byte_is_quoted_as_git_does(tmp_path: Path) -> None:
    repo = Repo.init(tmp_path / "r.git")
    names = [b"x%cy" % byte for byte in range(1, 256) if byte != 0x2F]
    tree = repo.tree(dict.fromkeys(names, b""))

    listed = repo.git_bytes("-c", "core.quotePath=true", "ls-tree", "--name-only", tree).splitlines()

    assert listed == [quote(name) for name in names]
    assert [unquote(name) for name in listed] == names


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (b'"a\\x"', b"a\\x"),
        (b'"\\/\\\'"', b"/'"),
        (b'"\\8"', b"\\8"),
        (b'"', b'"'),
        (b'a"b', b'a"b'),
        (b"a\\tb", b"a\\tb"),
        (b'"\\\\303"', b"\\303"),
        (b'"\\303\\251"', "é".encode()),
    ],
)
def test_odd_text_is_unquoted_by_the_rules(text: bytes, path: bytes) -> None:
    assert unquote(text) == path
