"""Which keys `git -c` may be given (daemon.md 1.3, `[[git.config]]`; transport.md 2.1 for requests)."""

from __future__ import annotations

import re

# The class has the byte range from `*` to `/`, which the reference's expression happens to contain.
_VALID = re.compile(r"[0-9A-Za-z]+(\.[*-/_:@a-zA-Z0-9]+)+")


def fault_of(key: str) -> str | None:
    """What is wrong with the configuration key `key`, or None; the first rule that it breaks."""
    if not key:
        return "not set"
    shown = f'key "{key}"'
    if "=" in key:
        return f'{shown} cannot contain "="'
    if "." not in key:
        return f"{shown} must contain at least one section"
    if key.startswith(".") or key.endswith("."):
        return f"{shown} must not start or end with a dot"
    if not _VALID.fullmatch(key):
        return f"{shown} failed regexp validation"
    return None
