"""Takes credentials out of what is logged of RPCs that get URLs with a password (daemon.md 4.4)."""

from __future__ import annotations

import re

METHODS = frozenset({"CreateRepositoryFromURL", "FetchRemote", "UpdateRemoteMirror"})
"""RPCs whose entries are redacted."""

FILTERED = "[FILTERED]"

_BREAKS = re.compile(r"[\s/'\"]")
_HOST = re.compile(r"[a-z0-9\[]", re.IGNORECASE)


def redacted(text: str) -> str:
    """`text` with every `[scheme://]userinfo@host` as `[scheme://][FILTERED]@host`.

    Takes time in proportion to the text, which may be all that git had to say.
    """
    if "@" not in text:
        return text
    before, *others = text.split("@")
    pieces = []
    for after in others:
        user = _BREAKS.split(before)[-1]
        if user and _HOST.match(after):
            before = before[: -len(user)] + FILTERED
        pieces.append(before)
        before = after
    return "@".join([*pieces, before])
