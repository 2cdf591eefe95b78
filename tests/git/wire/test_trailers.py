"""Trailers, as the API limits them (commit.md 2)."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitaly_py.git.wire.trailers import FORMAT, parse_trailers
from tests.support.repositories import Repo


@pytest.mark.parametrize(
    ("output", "trailers"),
    [
        (b"", []),
        (b"A: b\0A:  c d \0Empty:", [(b"A", b"b"), (b"A", b"c d"), (b"Empty", b"")]),
        (b"(cherry picked from commit x)\0A: b", [(b"A", b"b")]),
        (b": value\0A: b:c", [(b"A", b"b:c")]),
        (b"A: b\0" + b"k" * 129 + b": v\0B: c", [(b"A", b"b")]),
        (b"A: b\0K: " + b"v" * 513 + b"\0B: c", [(b"A", b"b")]),
        (b"k" * 128 + b": " + b"v" * 512, [(b"k" * 128, b"v" * 512)]),
        (b"\0".join(b"K: %d" % n for n in range(70)), [(b"K", b"%d" % n) for n in range(64)]),
    ],
    ids=["none", "repeated", "no colon", "no key", "long key", "long value", "longest", "many"],
)
def test_trailers_are_split(output: bytes, trailers: list[tuple[bytes, bytes]]) -> None:
    assert parse_trailers(output) == trailers


def test_git_gives_trailers_in_this_form(tmp_path: Path) -> None:
    repo = Repo.init(tmp_path / "r.git")
    oid = repo.commit("subject\n\nbody\n\nSigned-off-by: A\nNote: one\n two\n")
    output = repo.git_bytes("show", "-s", f"--format={FORMAT}", oid).removesuffix(b"\n")
    assert parse_trailers(output) == [(b"Signed-off-by", b"A"), (b"Note", b"one two")]
