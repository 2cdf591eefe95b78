"""What a bundle shall hold, as lines for `git bundle create --stdin` (storage-maintenance.md 5)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gitaly_py.git.commands import Flag
from gitaly_py.git.wire.goquote import quote
from gitaly_py.rpc.status import InvalidArgument

_PSEUDO = frozenset((b"--all", b"--branches", b"--tags", b"--remotes"))
_PSEUDO_PREFIXES = (b"--branches=", b"--tags=", b"--remotes=", b"--glob=", b"--exclude=")
_NOT = "--not"
_COMPOUND = re.compile(rb"\.\.|\^[@!-]")


class BundlePatterns:
    """Divides lines among arguments and standard input: git before 2.42 takes no options on the latter.

    arguments: what goes before `--stdin`, complete after the last line.
    """

    def __init__(self) -> None:
        self.arguments: list[Flag] = []
        self._negated = False
        self._ended = False

    def add(self, patterns: Iterable[bytes]) -> bytes:
        """The lines that standard input gets for one message; git ends reading at an empty one.

        Raises InvalidArgument for an option that is no pseudo-revision, and for NUL.
        """
        lines: list[bytes] = []
        for line in b"\n".join(patterns).split(b"\n"):
            self._ended = self._ended or not line
            if self._ended:
                break
            if b"\0" in line:
                raise InvalidArgument(f"invalid pattern {quote(line)}: revision can't contain NUL")
            if line == _NOT.encode():
                self._negated = not self._negated
            elif line.startswith(b"-"):
                self._add_pseudo(line)
            elif self._negated and _COMPOUND.search(line):
                self.arguments += [(_NOT, line), _NOT]
            else:
                lines.append(_negation(line) if self._negated else line)
        return b"".join(line + b"\n" for line in lines)

    def _add_pseudo(self, line: bytes) -> None:
        if line not in _PSEUDO and not line.startswith(_PSEUDO_PREFIXES):
            raise InvalidArgument(f"invalid pattern {quote(line)}: revision can't start with '-'")
        # `--not` among the arguments ends there, and says nothing about the lines of stdin.
        self.arguments += [_NOT, line, _NOT] if self._negated else [line]


def _negation(revision: bytes) -> bytes:
    return revision[1:] if revision.startswith(b"^") else b"^" + revision
