"""Patches as streams of messages (diff-conflicts.md 0.4, 2.3, 9.4)."""

from __future__ import annotations

from collections.abc import Iterator

PATCH_BYTES = 5120
"""The most of a patch that one message carries."""


def pieces(patch: bytes) -> Iterator[tuple[bytes, bool]]:
    """What each message carries of a patch, and whether it is the last one; one at least."""
    if len(patch) <= PATCH_BYTES:
        yield patch, True
        return
    last = (len(patch) - 1) // PATCH_BYTES * PATCH_BYTES
    for start in range(0, last + 1, PATCH_BYTES):
        yield patch[start : start + PATCH_BYTES], start == last
