"""Counts fetches from repositories whose bitmaps are no good to git (daemon.md 7.4)."""

from __future__ import annotations

import os
from contextlib import suppress

from gitaly_py.git.reading.stores import ObjectStores
from gitaly_py.git.repository import GitRepository
from gitaly_py.telemetry import metrics
from gitaly_py.telemetry.method import current_method


def report(repository: GitRepository) -> None:
    """Counts the call in progress, for which git makes a pack, unless there is exactly one bitmap.

    git uses one, of the repository or of its pool. Without packs there is nothing to have a bitmap of.
    """
    stores = ObjectStores(repository)
    found = sum(_bitmaps(f"{folder}/pack") for folder in stores.folders)
    if stores.packs and found != 1:
        service, name = current_method.get()
        metrics.bad_bitmap_requests.labels(f"/{service}/{name}", str(found)).inc()


def _bitmaps(folder: str) -> int:
    with suppress(FileNotFoundError, NotADirectoryError):
        return sum(name.endswith(".bitmap") for name in os.listdir(folder))
    return 0
