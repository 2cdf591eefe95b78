"""Variables of the daemon's environment that are true or not (daemon.md 1.6)."""

from __future__ import annotations

import os
from typing import Final

_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})


def is_true(name: str) -> bool:
    """Whether the variable of that name says so; one that is absent or unreadable does not."""
    return os.environ.get(name) in _TRUE
