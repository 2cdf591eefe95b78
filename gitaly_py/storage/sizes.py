"""Sizes on disk (repository.md, RepositorySize)."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress

from gitaly_py.storage.errors import SizeUnknown
from gitaly_py.storage.paths import reason_of


async def directory_size(path: str) -> int:
    """Bytes of all files below `path`: apparent sizes, symbolic links as themselves, hard links each time.

    Raises SizeUnknown.
    """
    return await asyncio.to_thread(scan_size, path)


def scan_size(path: str) -> int:
    """The same, in this thread. Files that vanish meanwhile are left out."""
    total = 0
    folders = [path]
    while folders:
        try:
            entries = os.scandir(folders.pop())
        except FileNotFoundError:
            continue
        except OSError as error:
            raise SizeUnknown(reason_of(error)) from error
        with entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    with suppress(FileNotFoundError):
                        total += entry.stat(follow_symlinks=False).st_size
    return total
