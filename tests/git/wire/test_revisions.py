"""Revisions (daemon.md 10)."""

from __future__ import annotations

import pytest

from gitaly_py.git.wire.errors import InvalidRevision
from gitaly_py.git.wire.revisions import validate_revision


@pytest.mark.parametrize(
    ("revision", "modes", "text"),
    [
        (b"-x\0", {}, "revision can't start with '-'"),
        (b"a b\0", {}, "revision can't contain NUL"),
        (b"a:\0", {"paths": True}, "revision can't contain NUL"),
        (b"", {}, "empty revision"),
        (b":path", {"paths": True}, "empty revision"),
        (b"a b:c", {}, "revision can't contain whitespace"),
        (b"a\tb", {}, "revision can't contain whitespace"),
        (b"a\nb", {"paths": True}, "revision can't contain whitespace"),
        (b"a\r", {"allow_empty": True}, "revision can't contain whitespace"),
        (b"a:b\\", {}, "revision can't contain ':'"),
        (b"a\\b", {"pseudo": True}, "revision can't contain '\\'"),
        (b"--all", {}, "revision can't start with '-'"),
        (b"--remotes", {"pseudo": True}, "revision can't start with '-'"),
        (b"--all=", {"pseudo": True}, "revision can't start with '-'"),
    ],
    ids=ascii,
)
def test_the_first_broken_rule_gives_the_text(revision: bytes, modes: dict[str, bool], text: str) -> None:
    with pytest.raises(InvalidRevision) as caught:
        validate_revision(revision, **modes)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("revision", "modes"),
    [
        (b"", {"allow_empty": True}),
        (b":p", {"allow_empty": True, "paths": True}),
        (b"main:a b\\c:\n", {"paths": True}),
        (b"--all", {"pseudo": True}),
        (b"--glob=a b", {"pseudo": True}),
        (b"--branches=", {"pseudo": True}),
        (b"a...b", {}),
        (b"^a^{tree}~3@{u}\x0b\xff", {}),
    ],
    ids=ascii,
)
def test_everything_else_is_left_to_git(revision: bytes, modes: dict[str, bool]) -> None:
    validate_revision(revision, **modes)
