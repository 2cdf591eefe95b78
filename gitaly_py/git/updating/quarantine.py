"""New objects apart from the repository until they are wanted (repository.md A3).

Objects written through `Quarantine.repository` are invisible to everyone else. `migrate` publishes
them in an order in which no reader meets an object whose parts are missing; a crash before or in it
leaves at most unreachable objects behind.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

import structlog

from gitaly_py.git.repository import GitRepository

_log = structlog.get_logger("gitaly")

_LAST = 5
_PACK_ORDER = {".keep": 1, ".pack": 2, ".rev": 3, ".idx": 4}
"""A pack's index goes last: git takes a pack for complete once it sees the index."""


@dataclass(frozen=True, slots=True)
class Quarantine:
    """A folder for new objects. repository: the repository as seen with them; origin: without them."""

    path: str
    repository: GitRepository
    origin: GitRepository

    async def migrate(self) -> None:
        """Moves all objects into the origin's object directory, durably."""
        target = self.origin.object_directory or os.path.join(self.origin.path, "objects")
        await asyncio.to_thread(migrate_objects, self.path, target)


def quarantine_prefix(relative_path: str) -> str:
    """How the names of a repository's quarantine folders begin; the rest is random."""
    digest = hashlib.sha1(os.fsencode(relative_path), usedforsecurity=False).digest()
    return f"quarantine-{digest[:8].hex()}-"


@asynccontextmanager
async def quarantine(
    repository: GitRepository, relative_path: str, temporary_directory: str
) -> AsyncIterator[Quarantine]:
    """A quarantine that is deleted, with what was not migrated, at the end of the block.

    relative_path: the repository's, as calls name it. temporary_directory: the storage's.
    """
    os.makedirs(temporary_directory, mode=0o700, exist_ok=True)
    path = tempfile.mkdtemp(prefix=quarantine_prefix(relative_path), dir=temporary_directory)
    normal = repository.object_directory or os.path.join(repository.path, "objects")
    seen = replace(
        repository,
        object_directory=path,
        alternate_object_directories=(normal, *repository.alternate_object_directories),
    )
    try:
        yield Quarantine(path, seen, repository)
    finally:
        await asyncio.to_thread(shutil.rmtree, path, onerror=_left_behind)


def migrate_objects(source: str, target: str) -> None:
    """Moves a tree of object files from `source` into the object directory `target`; blocks."""
    entries = sorted(os.scandir(source), key=lambda entry: (_priority(entry.name), entry.name))
    for entry in entries:
        destination = os.path.join(target, entry.name)
        if entry.is_dir(follow_symlinks=False):
            with suppress(FileExistsError):
                os.mkdir(destination, 0o700)
            migrate_objects(entry.path, destination)
        else:
            _move(entry.path, destination)
    _sync(target)


def _left_behind(_: object, path: str, reason: tuple[object, BaseException, object]) -> None:
    # The storage's cleaner finds it again after some days.
    _log.warning("quarantined object not removed", path=path, error=str(reason[1]))


def _priority(name: str) -> int:
    if not name.startswith("pack"):
        return 0
    return _PACK_ORDER.get(os.path.splitext(name)[1], _LAST)


def _move(source: str, destination: str) -> None:
    _sync(source)
    try:
        os.link(source, destination)
    except FileExistsError:
        pass  # the same object: names are made from content
    except OSError:
        os.rename(source, destination)
        return
    os.unlink(source)


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
