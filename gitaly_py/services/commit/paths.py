"""Paths in requests, by their form alone (commit.md 3.2 LastCommitForPath, 3.3 RawBlame)."""

from __future__ import annotations

import posixpath


def is_absolute(path: bytes) -> bool:
    """Whether the path begins at a root."""
    return path.startswith(b"/")


def escapes(path: bytes) -> bool:
    """Whether the path is absolute or leads out of the repository: `foo/../bar` does not."""
    cleaned = posixpath.normpath(path)
    return is_absolute(cleaned) or cleaned == b".." or cleaned.startswith(b"../")
