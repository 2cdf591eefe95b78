"""Object directories that a repository borrows objects from (repository.md A14, daemon.md 10)."""

from __future__ import annotations

import os

from gitaly_py.git.reading.stores import DEEPEST, read_alternates
from gitaly_py.storage.errors import AlternateOutside
from gitaly_py.storage.paths import clean, is_below


def alternate_directories(objects: str, storage_path: str) -> list[str]:
    """The object directories that `objects` borrows from, directly or not, each once; all of them exist.

    Raises AlternateOutside when one leaves the storage, OSError when a file that names them can't be read.
    """
    found: dict[str, None] = {}
    _add(objects, storage_path, 1, found)
    found.pop(objects, None)
    return list(found)


def _add(objects: str, storage_path: str, depth: int, found: dict[str, None]) -> None:
    if depth > DEEPEST:
        return
    for line in read_alternates(f"{objects}/info/alternates"):
        path = clean(os.path.join(objects, line))
        if not is_below(path, storage_path):
            raise AlternateOutside(line)
        if path not in found and os.path.isdir(path):
            found[path] = None
            _add(path, storage_path, depth + 1, found)
