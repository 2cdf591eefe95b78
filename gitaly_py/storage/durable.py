"""Writing so that a crash leaves the old state or the new one."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress


def write_new(path: str, data: bytes, *, mode: int = 0o400) -> None:
    """Writes a file that is complete from the moment it is there; one that appears meanwhile is kept.

    Raises OSError.
    """
    temporary = f"{path}.{secrets.token_hex(6)}"
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        os.unlink(temporary)
    sync_directory(os.path.dirname(path))


def sync_directory(path: str) -> None:
    """Makes renames and links in a directory last."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(path: str) -> None:
    """Makes a directory with all files below it last."""
    for folder, _, files in os.walk(path, topdown=False):
        for name in files:
            descriptor = os.open(os.path.join(folder, name), os.O_RDONLY | os.O_NOFOLLOW)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_directory(folder)


def make_parents(path: str, root: str) -> None:
    """Makes the folders between `root` and `path`, mode 0700, and `path` itself."""
    if path == root or os.path.isdir(path):
        return
    make_parents(os.path.dirname(path), root)
    with suppress(FileExistsError):
        os.mkdir(path, 0o700)


def sync_upwards(path: str, root: str) -> None:
    """Makes every directory from `path` up to `root` last."""
    while path.startswith(root):
        sync_directory(path)
        if path == root:
            return
        path = os.path.dirname(path)
