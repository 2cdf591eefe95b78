"""Sums of the lines that `git diff --numstat` prints: counts, and a path (commit.md 3.2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gitaly_py.git.wire.errors import MalformedOutput

_BINARY = (b"-", b"-")


@dataclass(slots=True)
class Totals:
    """Files, and lines added and deleted in those that are text."""

    files: int = 0
    additions: int = 0
    deletions: int = 0

    def add(self, lines: Iterable[bytes]) -> None:
        """Counts further lines, given without their ends. Raises MalformedOutput."""
        for line in lines:
            added, _, rest = line.partition(b"\t")
            deleted, tab, _ = rest.partition(b"\t")
            self.files += 1
            if (added, deleted) == _BINARY:
                continue
            if not (tab and added.isdigit() and deleted.isdigit()):
                raise MalformedOutput(f"invalid numstat line: {line!r}")
            self.additions += int(added)
            self.deletions += int(deleted)
