"""How revisions reach rev-list (commit.md 3.2, ref-blob.md 6.3)."""

from __future__ import annotations

import pytest

from gitaly_py.services.commit.revisions import revision_input


def test_newer_git_gets_everything_on_stdin() -> None:
    walked = revision_input([b"main", b"--not", b"--all", b"a..b"], (2, 42, 0))

    assert (walked.arguments, walked.stdin) == ((), b"main\n--not\n--all\na..b\n")


@pytest.mark.parametrize(
    ("revisions", "arguments", "stdin"),
    [
        ([b"main", b"^old", b"a..b"], [], b"main\n^old\na..b\n"),
        ([b"main", b"--not", b"old", b"^new"], [], b"main\n^old\nnew\n"),
        ([b"main", b"--not", b"old", b"--not", b"new"], [], b"main\n^old\nnew\n"),
        ([b"--all", b"main"], [b"--all"], b"main\n"),
        ([b"main", b"--not", b"--all"], [b"--not", b"--all", b"--not"], b"main\n"),
        ([b"--not", b"a..b", b"c^@"], [b"--not", b"a..b", b"--not", b"--not", b"c^@", b"--not"], b""),
    ],
)
def test_older_git_gets_pseudo_revisions_as_arguments(
    revisions: list[bytes], arguments: list[bytes], stdin: bytes
) -> None:
    walked = revision_input(revisions, (2, 39, 5))

    assert (list(walked.arguments), walked.stdin) == (arguments, stdin)


@pytest.mark.parametrize("version", [(2, 39, 5), (2, 50, 0)])
@pytest.mark.parametrize("revision", [b"--glob=a\nb", b"main:a\nb"])
def test_a_line_end_never_reaches_stdin(version: tuple[int, ...], revision: bytes) -> None:
    walked = revision_input([b"main", revision], version)

    assert (list(walked.arguments), walked.stdin) == ([revision], b"main\n")
