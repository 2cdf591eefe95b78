"""Revisions as input of `git rev-list` (commit.md 3.2, ref-blob.md 6.3).

They go through stdin, since there may be more of them than fit on a command line. Before git 2.42 the
pseudo-revisions (`--all`, `--not`, ...) are not understood there; they become arguments then.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gitaly_py.git.version import Version

PSEUDO_ON_STDIN: Version = (2, 42)
"""The git version whose `rev-list --stdin` understands pseudo-revisions."""

_NOT = b"--not"
_COMPOUND = re.compile(rb"\.\.|\^[@!-]")


@dataclass(frozen=True, slots=True)
class RevisionInput:
    """What `rev-list --stdin` gets. arguments: positional ones; stdin: a revision a line."""

    arguments: Sequence[bytes]
    stdin: bytes


def revision_input(revisions: Sequence[bytes], version: Version) -> RevisionInput:
    """Divides validated revisions among arguments and stdin, as this git version needs it."""
    if version >= PSEUDO_ON_STDIN and not any(b"\n" in revision for revision in revisions):
        return RevisionInput((), _lines(revisions))
    arguments: list[bytes] = []
    lines: list[bytes] = []
    negated = False
    for revision in revisions:
        if revision == _NOT:
            negated = not negated
        elif revision.startswith(b"-") or b"\n" in revision or (negated and _COMPOUND.search(revision)):
            # `--not` among the arguments ends there, and says nothing about the lines of stdin.
            arguments += [_NOT, revision, _NOT] if negated else [revision]
        else:
            lines.append(_negation(revision) if negated else revision)
    return RevisionInput(arguments, _lines(lines))


def _negation(revision: bytes) -> bytes:
    return revision[1:] if revision.startswith(b"^") else b"^" + revision


def _lines(revisions: Sequence[bytes]) -> bytes:
    return b"".join(revision + b"\n" for revision in revisions)
