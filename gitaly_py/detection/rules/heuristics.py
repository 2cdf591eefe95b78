"""Telling languages with one extension apart by what stands in a file (commit.md 4.2, strategy 7)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from gitaly_py.detection.rules import tables


def languages_of(extension: str, content: bytes) -> Sequence[str]:
    """The languages of the first rule that holds for the content; none if no rule does.

    extension: in lower case, with its dot.
    """
    for languages, conditions in tables.heuristics().get(extension, ()):
        if all(_matches(patterns, content) is wanted for wanted, patterns in conditions):
            found: Sequence[str] = languages
            return found
    return ()


def _matches(patterns: Sequence[str], content: bytes) -> bool:
    return any(_compiled(pattern).search(content) is not None for pattern in patterns)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[bytes]:
    return re.compile(pattern.encode())
