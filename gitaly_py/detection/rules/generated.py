"""Whether a file was written by a program (commit.md 4.3). Knows nothing of repositories and does no I/O."""

from __future__ import annotations

import posixpath

from gitaly_py.detection.rules.generated_content import RULES, is_source_map
from gitaly_py.detection.rules.generated_paths import has_generated_path
from gitaly_py.detection.rules.sample import Sample


def is_generated(path: bytes, content: bytes) -> bool:
    """Whether the file at `path` is generated, by its path or by how it begins.

    content: the beginning of the file, as much of it as the caller wants to be looked at.
    """
    lowered = path.lower()
    extension = _extension(lowered)
    if has_generated_path(path, extension) or is_source_map(lowered, content):
        return True
    rules = RULES.get(extension, ())
    if not rules:
        return False
    sample = Sample(lowered, content)
    return any(rule(sample) for rule in rules)


def _extension(path: bytes) -> bytes:
    """What follows the last dot of the file's name, dot included; `.name` is all extension."""
    _, dot, extension = posixpath.basename(path).rpartition(b".")
    return dot + extension if dot else b""
