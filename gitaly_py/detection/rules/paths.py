"""Paths whose files are not the repository's own work (commit.md 4.1, 4.5)."""

from __future__ import annotations

import re
from functools import cache

from gitaly_py.detection.rules import tables

_COMPONENT = "(^|/)"
"""Beginning of the patterns that match from the beginning of a component on."""


def is_documentation(path: bytes) -> bool:
    """Whether the file is documentation, by where it is."""
    return _pattern("documentation").search(path) is not None


def is_vendored(path: bytes) -> bool:
    """Whether the file was taken over from elsewhere, by where it is."""
    return _pattern("vendor").search(path) is not None


@cache
def _pattern(name: str) -> re.Pattern[bytes]:
    """One pattern of all. Most begin like this, and are tried much faster where that stands once."""
    patterns = tables.paths()[name]
    components = [each.removeprefix(_COMPONENT) for each in patterns if each.startswith(_COMPONENT)]
    others = [f"(?:{each})" for each in patterns if not each.startswith(_COMPONENT)]
    whole = "|".join([f"(?:^|/)(?:{'|'.join(components)})", *others])
    return re.compile(whole.encode())
