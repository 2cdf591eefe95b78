"""Creating a repository so that nothing half-built is ever visible (repository.md A10)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gitaly_py.git.wire.errors import InvalidReferenceName
from gitaly_py.git.wire.objects import SHA1, ObjectFormat
from gitaly_py.git.wire.refnames import validate_reference_name
from gitaly_py.storage import counting
from gitaly_py.storage.durable import make_parents, sync_tree, sync_upwards
from gitaly_py.storage.errors import (
    AlreadyLocked,
    CreationLocked,
    InitialBranchInvalid,
    PreLockStatFailed,
    RepositoryExists,
)
from gitaly_py.storage.locks import locked
from gitaly_py.storage.paths import reason_of
from gitaly_py.storage.repository import Repository
from gitaly_py.storage.temporary import temporary_directory
from gitaly_py.storage.threads import to_the_end

DEFAULT_BRANCH = b"main"
FULL_REPACK_TIMESTAMP = ".gitaly-full-repack-timestamp"

_FOLDERS = ("objects", "objects/info", "objects/pack", "refs", "refs/heads", "refs/tags")
_CONFIG = "[core]\n\trepositoryformatversion = {version}\n\tfilemode = true\n\tbare = true\n"
_EXTENSIONS = "[extensions]\n\tobjectformat = {name}\n"


@asynccontextmanager
async def creating(
    repository: Repository, *, object_format: ObjectFormat | None = SHA1, branch: bytes = b""
) -> AsyncIterator[Repository]:
    """A temporary repository to fill, which takes the place of `repository` when the block ends well.

    object_format: None leaves the folder absent, for `git clone` to make. branch: what HEAD names, without
    `refs/heads/`; empty means main.
    Raises RepositoryExists, PreLockStatFailed, InitialBranchInvalid, CreationLocked, OSError.
    """
    _must_be_absent(repository.path)
    async with temporary_directory(repository.storage_path) as folder:
        temporary = repository.sibling(os.path.relpath(folder, repository.storage_path))
        if object_format is None:
            os.rmdir(folder)
        else:
            initialise(folder, object_format, branch or DEFAULT_BRANCH)
        yield temporary
        await to_the_end(_publish, folder, repository)


def initialise(path: str, object_format: ObjectFormat, branch: bytes) -> None:
    """What `git init --bare` leaves of use in the existing folder `path`. Raises InitialBranchInvalid."""
    head = b"refs/heads/" + branch
    try:
        validate_reference_name(head)
    except InvalidReferenceName as error:
        raise InitialBranchInvalid(branch) from error
    for folder in _FOLDERS:
        os.mkdir(os.path.join(path, folder))
    version = 0 if object_format is SHA1 else 1
    config = _CONFIG.format(version=version)
    if version:
        config += _EXTENSIONS.format(name=object_format.name)
    _write(os.path.join(path, "config"), config.encode())
    _write(os.path.join(path, "HEAD"), b"ref: " + head + b"\n")


def _write(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)


def _must_be_absent(path: str) -> None:
    try:
        os.lstat(path)
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise PreLockStatFailed(reason_of(error)) from error
    raise RepositoryExists(path)


def _publish(folder: str, repository: Repository) -> None:
    _write(os.path.join(folder, FULL_REPACK_TIMESTAMP), b"")
    parent = os.path.dirname(repository.path)
    make_parents(parent, repository.storage_path)
    try:
        with locked(repository.path):
            if os.path.lexists(repository.path):
                raise RepositoryExists(repository.path)
            sync_tree(folder)
            os.rename(folder, repository.path)
            counting.created(repository.storage_path, repository.path)
            sync_upwards(parent, repository.storage_path)
    except AlreadyLocked as error:
        raise CreationLocked(error.path) from error
