"""Removal of worktrees that a killed daemon has left (storage-maintenance.md 2.7)."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress

from gitaly_py.git.commands import DISABLED, Command
from gitaly_py.git.process import Git
from gitaly_py.git.repository import GitRepository
from gitaly_py.storage.temporary import delete

STALE_SECONDS = 6 * 3600
"""A worktree that was not touched for so long belongs to nobody."""

_FOLDER = "gitlab-worktree"
_FATAL = 128


async def clean_worktrees(git: Git, repository: GitRepository) -> None:
    """Removes old worktrees, and what git still knows of ones that are gone.

    Starts no process where there is none. Raises CommandFailed.
    """
    before = time.time() - STALE_SECONDS
    for entry in _folders(os.path.join(repository.path, _FOLDER)):
        with suppress(FileNotFoundError):
            if entry.stat(follow_symlinks=False).st_mtime < before:
                await _remove(git, repository, entry.path)
    if _folders(os.path.join(repository.path, "worktrees")):
        (await git.run(repository, Command(name="worktree", action="prune", hooks=DISABLED))).check()


async def _remove(git: Git, repository: GitRepository, path: str) -> None:
    command = Command(name="worktree", action="remove", flags=["--force"], args=[path], hooks=DISABLED)
    removed = await git.run(repository, command)
    if removed.status == _FATAL and b"is not a working tree" in removed.stderr:
        await asyncio.to_thread(delete, path)
    else:
        removed.check()


def _folders(path: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []
