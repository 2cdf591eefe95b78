"""Removes files that nobody will read again from a cache folder, which several instances may share."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from gitaly_py.packs.instance import ID, Instance

_FOLDER: Final = re.compile(r"[0-9a-f]{2}")
_FILE: Final = re.compile(rf"({ID})-[0-9]+")


@dataclass(frozen=True)
class Swept:
    """bytes: in all files that are left. removed: files that are not."""

    bytes: int
    removed: int


def sweep(folder: str, own: str, before: float) -> Swept:
    """Removes what is older than `before`, and what killed instances left; no folder, and nothing of `own`.

    Raises OSError.
    """
    dead = Instance.of_dead(folder)
    try:
        abandoned = {instance.id for instance in dead}
        return _sweep(folder, lambda owner, mtime: owner != own and (owner in abandoned or mtime < before))
    finally:
        for instance in dead:
            instance.release()


def _sweep(folder: str, is_old: Callable[[str, float], bool]) -> Swept:
    size = removed = 0
    for owner, entry in _files(folder):
        # Whoever owns the file may remove it at the same time.
        with suppress(FileNotFoundError):
            status = entry.stat(follow_symlinks=False)
            if is_old(owner, status.st_mtime):
                os.unlink(entry.path)
                removed += 1
            else:
                size += status.st_size
    return Swept(size, removed)


def _files(folder: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    for path in _folders(folder):
        with os.scandir(path) as entries:
            for entry in entries:
                if named := _FILE.fullmatch(entry.name):
                    yield named[1], entry


def _folders(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if _FOLDER.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                if stat.S_IMODE(entry.stat(follow_symlinks=False).st_mode) != stat.S_IRWXU:
                    os.chmod(entry.path, stat.S_IRWXU)
                yield entry.path
