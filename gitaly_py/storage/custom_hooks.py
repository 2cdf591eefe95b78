"""The hooks that an administrator gave a repository: the folder `custom_hooks` (storage-maintenance.md 7)."""

from __future__ import annotations

import os

from gitaly_py.storage import archiving
from gitaly_py.storage.archiving import Blocks
from gitaly_py.storage.repository import Repository
from gitaly_py.storage.tar import END

FOLDER = "custom_hooks"


def custom_hooks(repository: Repository) -> Blocks:
    """The folder as a tar file; nothing if there is none. Raises FileUnreadable."""
    name = os.fsencode(FOLDER)
    empty = True
    for block in archiving.tree(os.fsencode(f"{repository.path}/{FOLDER}"), name, links=True):
        empty = False
        yield block
    if not empty:
        yield END
