"""Which names of references are looked for on disk."""

from __future__ import annotations

import re

_MALFORMED = re.compile(
    rb"[\0-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|\Z)|[/.]\Z|\A[/.]|\A@\Z", re.DOTALL
)
"""What `git check-ref-format` refuses."""


def is_safe_name(name: bytes) -> bool:
    """Whether `name` follows git's rules for names of references; `HEAD` and other single words do."""
    return bool(name) and _MALFORMED.search(name) is None
