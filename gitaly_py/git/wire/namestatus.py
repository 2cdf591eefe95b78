"""What `git diff-tree --stdin --always --name-status -z` prints for a commit and one parent of it.

That is the commit's id, and a status and a path for each change; each ends with NUL. A name may look like
an id, but never stands where one is expected.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from gitaly_py.git.wire.errors import MalformedOutput

SYNC = b"\n"
"""A line of input that is no id: git repeats it, and writes out what it has to say of the lines before."""


@dataclass(slots=True)
class Comparison:
    """The paths in which a commit differs from a parent."""

    commit: bytes
    changed: list[bytes] = field(default_factory=list)


class NameStatus:
    """Parses the output as it comes, cut at each NUL."""

    def __init__(self) -> None:
        self._open: Comparison | None = None
        self._is_path = False

    def feed(self, tokens: Iterable[bytes]) -> list[Comparison]:
        """The comparisons that are whole with these tokens: those that another one follows.

        Raises MalformedOutput.
        """
        whole: list[Comparison] = []
        current = self._open
        is_path = self._is_path
        for token in tokens:
            if is_path:
                if current is None:
                    raise MalformedOutput(f"invalid name status: {token!r}")
                current.changed.append(token)
                is_path = False
            elif len(token) == 1 and token != SYNC:
                is_path = True
            else:
                commit = token.lstrip(SYNC)
                if current is not None:
                    whole.append(current)
                current = Comparison(commit) if commit else None
        self._open, self._is_path = current, is_path
        return whole

    def end(self) -> list[Comparison]:
        """The last comparison, if there is one, at the end of the output. Raises MalformedOutput."""
        if self._is_path:
            raise MalformedOutput("name status without a path")
        return [] if self._open is None else [self._open]
