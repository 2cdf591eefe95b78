"""The object directories that make up a repository's object database."""

from __future__ import annotations

import os

from gitaly_py.git.reading.stamps import Stamp, is_unchanged, now, stamp
from gitaly_py.git.repository import GitRepository

DEEPEST = 5
"""Alternates of alternates that are followed, beyond those of the repository itself (repository.md A14)."""


class ObjectStores:
    """The object directories of a repository, alternates included, and the state they were found in.

    folders: absolute paths, the repository's own (or its quarantine's) first, each directory once.
    packs: pack files in all of them.
    """

    def __init__(self, repository: GitRepository) -> None:
        own = repository.object_directory or f"{repository.path}/objects"
        self._read_at = now()
        self._settled = True
        self.folders: list[str] = []
        self.packs = 0
        self._stamps: list[tuple[str, Stamp | None]] = []
        self._seen: set[tuple[int, int]] = set()
        for folder in (own, *repository.alternate_object_directories):
            self._add(folder, 0)

    def unchanged(self) -> bool:
        """Whether no pack has come or gone and no alternate was linked or unlinked since, for certain."""
        if not self._settled:
            return False
        for path, found in self._stamps:
            # Most have no alternates, and looking whether there is a file costs half of a stamp.
            if os.access(path, os.F_OK) if found is None else not is_unchanged(path, found):
                return False
        return True

    def _add(self, folder: str, depth: int) -> None:
        found = stamp(folder)
        if found is None:
            self._stamps.append((folder, None))
            return
        if (found.device, found.inode) in self._seen:
            return
        self._seen.add((found.device, found.inode))
        self.folders.append(folder)
        alternates = f"{folder}/info/alternates"
        for path in (f"{folder}/pack", alternates):
            self._watch(path)
        self.packs += _packs(f"{folder}/pack")
        if depth <= DEEPEST:
            for line in read_alternates(alternates):
                self._add(os.path.normpath(os.path.join(folder, line)), depth + 1)

    def _watch(self, path: str) -> None:
        found = stamp(path)
        self._stamps.append((path, found))
        self._settled = self._settled and (found is None or found.settled(self._read_at))


def read_alternates(path: str) -> list[str]:
    """The object directories that an `info/alternates` file names, as written; none if there is no file."""
    try:
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [os.fsdecode(line) for line in lines if line and not line.startswith(b"#")]


def _packs(folder: str) -> int:
    try:
        return sum(name.endswith(".pack") for name in os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return 0
