"""Waiting for the file system's clock."""

from __future__ import annotations

import os
import time
from pathlib import Path

from gitaly_py.git.reading.stamps import now, stamp


def settle(*paths: str | Path) -> None:
    """Returns when each later change of these files and folders must give them another stamp."""
    for path in paths:
        while not ((found := stamp(str(path))) is None or found.settled(now())):
            time.sleep(0.005)


def unsettle(path: str | Path) -> None:
    """Makes a file or folder one that may change without another stamp, for so long as a test runs."""
    hour_ahead = time.time() + 3600
    os.utime(path, (hour_ahead, hour_ahead))


def settle_all(folder: str | Path) -> None:
    """The same for a folder and everything below it."""
    settle(folder, *Path(folder).rglob("*"))
