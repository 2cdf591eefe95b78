"""Replies of cat-file; git gives them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitaly_py.git.wire import catfile
from gitaly_py.git.wire.catfile import Absent, Header, parse_header
from gitaly_py.git.wire.errors import MalformedReply
from tests.support.repositories import Repo


def test_git_answers_in_the_expected_form(tmp_path: Path) -> None:
    repo = Repo.init(tmp_path / "r.git")
    blob = repo.blob(b"data\n")
    requests = (
        catfile.info(blob.encode()) + catfile.contents(b"a b missing") + catfile.contents(blob.encode())
    )
    output = repo.git_bytes("cat-file", "--batch-command", "-z", stdin=requests)
    first, second, third, content, rest = output.split(b"\n", 4)
    assert parse_header(first) == parse_header(third) == Header(blob, "blob", 5)
    assert parse_header(second) is Absent.MISSING
    assert (content, rest) == (b"data", b"\n")


def test_an_ambiguous_name_is_told(tmp_path: Path) -> None:
    repo = Repo.init(tmp_path / "r.git")
    prefixes: dict[str, bytes] = {}
    number = 0
    while True:
        prefix = repo.blob(b"%d" % number)[:4]
        if prefix in prefixes:
            break
        prefixes[prefix] = b""
        number += 1
    line = repo.git_bytes("cat-file", "--batch-check", stdin=prefix + "\n").split(b"\n")[0]
    assert parse_header(line) is Absent.AMBIGUOUS


def test_a_submodule_is_absent() -> None:
    assert parse_header(b"1234 submodule") is Absent.SUBMODULE


@pytest.mark.parametrize("line", [b"", b"missing", b"abc blob", b"abc blob x", b"abc thing 5", b"a b c d"])
def test_other_replies_are_refused(line: bytes) -> None:
    with pytest.raises(MalformedReply):
        parse_header(line)
