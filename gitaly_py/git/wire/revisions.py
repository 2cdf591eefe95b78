"""Which revisions may be given to git (daemon.md 10, commit.md 1.2)."""

from __future__ import annotations

import re

from gitaly_py.git.wire.errors import InvalidRevision

_USUAL = re.compile(rb"[^-\0 \t\n\r:\\][^\0 \t\n\r:\\]*")
"""What breaks no rule, in one look: nearly every revision."""

_BLANK = re.compile(rb"[ \t\n\r]")
_PSEUDO = frozenset((b"--all", b"--not", b"--branches", b"--tags", b"--alternate-refs"))
_PSEUDO_PREFIXES = (b"--branches=", b"--tags=", b"--glob=")


def validate_revision(
    revision: bytes, *, allow_empty: bool = False, paths: bool = False, pseudo: bool = False
) -> None:
    """Raises InvalidRevision with the API's text for the first rule that `revision` breaks.

    paths: `rev:path` is allowed, the path being anything without NUL; pseudo: so are the
    pseudo-revisions of rev-list, such as `--all`. Everything else of gitrevisions(7) is left to git.
    """
    if _USUAL.fullmatch(revision) is not None:
        return
    if pseudo and (revision in _PSEUDO or revision.startswith(_PSEUDO_PREFIXES)):
        return
    if revision.startswith(b"-"):
        raise InvalidRevision("revision can't start with '-'")
    if b"\0" in revision:
        raise InvalidRevision("revision can't contain NUL")
    if paths:
        revision = revision.partition(b":")[0]
    if not revision and not allow_empty:
        raise InvalidRevision("empty revision")
    if _BLANK.search(revision) is not None:
        raise InvalidRevision("revision can't contain whitespace")
    if b":" in revision:
        raise InvalidRevision("revision can't contain ':'")
    if b"\\" in revision:
        raise InvalidRevision("revision can't contain '\\'")
