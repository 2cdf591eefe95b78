"""What pushes of a killed daemon left in their repositories.

git keeps the objects of a push in `objects/tmp_objdir-incoming-<random>` until it is accepted. It does not
remove that directory when it is killed, or when a signal ends it because the daemon was: nobody reads it
then, but it is as large as what had arrived.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress

import psutil
import structlog

from gitaly_py.storage.temporary import delete
from gitaly_py.storage.walking import repositories

_log = structlog.get_logger("gitaly")

_QUARANTINE = "tmp_objdir-incoming-"
_PAUSE_SECONDS = 0.001
"""Between two repositories, so that calls come first where there are very many."""


def remove_quarantines(storage_path: str, stop: threading.Event) -> None:
    """Removes the quarantines of a storage whose pushes are over, until `stop` is set."""
    for path in repositories(storage_path):
        if stop.wait(_PAUSE_SECONDS):
            return
        found = _quarantines(path)
        # In this order: a push whose quarantine was found and that still runs is seen as a process.
        if found and not _is_worked_in(path):
            for quarantine in found:
                _log.info("removing quarantine of a dead push", path=quarantine)
                delete(quarantine)


def _quarantines(path: str) -> list[str]:
    with suppress(OSError), os.scandir(os.path.join(path, "objects")) as entries:
        return [
            entry.path
            for entry in entries
            if entry.name.startswith(_QUARANTINE) and entry.is_dir(follow_symlinks=False)
        ]
    return []


def _is_worked_in(path: str) -> bool:
    """receive-pack and what it starts have the repository as their working directory."""
    folder = os.path.realpath(path)
    return any(process.info["cwd"] == folder for process in psutil.process_iter(["cwd"]))
