"""Finding the repositories of a storage on disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

_INTERNAL = "+gitaly"
_PARTS = frozenset({"HEAD", "objects", "refs"})


def repositories(storage_path: str, on_error: Callable[[OSError], None] | None = None) -> Iterator[str]:
    """Absolute paths of the repositories of a storage, in order; what is inside of one is not looked at.

    on_error: gets the error of each folder that can't be read, and may raise it.
    """
    for folder, folders, files in os.walk(storage_path, onerror=on_error):
        if _PARTS.issubset((*folders, *files)):
            folders.clear()
            yield folder
        elif folder == storage_path and _INTERNAL in folders:
            folders.remove(_INTERNAL)
        folders.sort()
