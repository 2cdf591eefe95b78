"""The version of git, and what depends on it."""

from __future__ import annotations

import re

Version = tuple[int, ...]

PACK_REUSE_MULTI = (2, 44)
"""Before it `pack.allowPackReuse=multi` is a fatal error."""
ATTR_TREE = (2, 43)
"""Before it `attr.tree` is ignored."""
REF_FORMAT = (2, 45)
"""From it `init` and `clone` know `--ref-format`."""
SYMREF_UPDATE = (2, 46)
"""From it `update-ref --stdin` knows `symref-update`."""

_NUMBERS = re.compile(r"\d+(?:\.\d+)*")


def version_string(output: str) -> str:
    """`2.39.5` of `git version 2.39.5`."""
    return output.strip().removeprefix("git version ")


def parse_version(version: str) -> Version:
    """The leading numbers: `2.39.5.windows.1` gives (2, 39, 5), `2.45.0-rc1` gives (2, 45, 0)."""
    found = _NUMBERS.match(version)
    return tuple(map(int, found[0].split("."))) if found else ()
