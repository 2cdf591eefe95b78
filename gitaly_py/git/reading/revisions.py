"""The plain forms of a revision, which need no git to be understood.

Everything else of gitrevisions(7), such as `main~2`, `@{1.day.ago}`, short ids and `:/text`, is left to git.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from gitaly_py.git.reading.errors import RevisionHasNul
from gitaly_py.git.reading.names import is_safe_name
from gitaly_py.git.wire.objects import ObjectFormat

_PLAIN = re.compile(
    rb"""
    (?P<base> [^\0-\x20\x7f~^:?*\[\\{}-][^\0-\x20\x7f~^:?*\[\\{}]* )
    (?P<peels> (?: \^\{ (?:commit|tree|blob|tag|object|) \} | \^0 )* )
    (?: : (?P<path> .*) )?
    """,
    re.DOTALL | re.VERBOSE,
)
_PEEL = re.compile(rb"\^(?:\{(\w*)\}|0)")
_ID = re.compile(rb"[0-9a-fA-F]{40}|[0-9a-fA-F]{64}")
_LIKE_AN_ID = re.compile(rb"[0-9a-fA-F]{4,}\Z|.*-g[0-9a-fA-F]{4,}\Z", re.DOTALL)
"""Short ids and what `git describe` prints, which git tries after the references."""
_DESCRIBED = re.compile(rb".*-g[0-9a-fA-F]{4,}\Z", re.DOTALL)

_RELATIVE = re.compile(rb"(?:[^:{}]|\{[^{}]*\})*(?::[0-3])?:\.\.?/", re.DOTALL)
"""Colons within braces, as in `main@{12:00}:path`, don't begin a path."""

_RULES = (
    b"%s",
    b"refs/%s",
    b"refs/tags/%s",
    b"refs/heads/%s",
    b"refs/remotes/%s",
    b"refs/remotes/%s/HEAD",
)


class Plain(NamedTuple):
    """`<base><peels>:<path>`. base: an id or a name; peels: wanted types in order, `` meaning "no tag" and
    `object` anything that exists; path: None without a colon."""

    base: bytes
    peels: tuple[str, ...]
    path: bytes | None

    @property
    def may_be_short(self) -> bool:
        """Whether git would try the base as an abbreviated id if no reference has that name."""
        return _LIKE_AN_ID.match(self.base) is not None

    def names(self) -> tuple[bytes, ...]:
        """The full reference names the base may stand for, in git's order of preference.

        None of them, if they break git's rules for names.
        """
        return _names(self.base)


@lru_cache(maxsize=1024)
def parse(revision: bytes) -> Plain | None:
    """The parts of a plain revision, or None when only git can tell what is meant."""
    found = _PLAIN.fullmatch(revision)
    if found is None:
        return None
    base, path = found["base"], found["path"]
    if path is not None and _DESCRIBED.match(path):
        return None
    peels = tuple(
        peel[1].decode() if peel[1] is not None else "commit" for peel in _PEEL.finditer(found["peels"])
    )
    return Plain(b"HEAD" if base == b"@" else base, peels, path)


@lru_cache(maxsize=1024)
def _names(base: bytes) -> tuple[bytes, ...]:
    names = tuple(rule % base for rule in _RULES)
    return names if is_safe_name(names[-1]) else ()


def is_relative_path(revision: bytes) -> bool:
    """Whether it is `rev:./path` or the like, which makes git abort where there is no work tree."""
    return b":" in revision and _RELATIVE.match(revision) is not None


def check_revision(revision: bytes) -> None:
    """Raises RevisionHasNul."""
    if b"\0" in revision:
        raise RevisionHasNul(revision)


def is_full_id(revision: bytes, object_format: ObjectFormat) -> bool:
    """Whether it is a full object id, in either case of letters, as git reads one before all else."""
    return len(revision) == object_format.hex_length and _ID.fullmatch(revision) is not None
