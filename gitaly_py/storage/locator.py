"""Finds repositories by storage name and relative path (repository.md A2)."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from functools import lru_cache

from gitaly_py.git.reading.cache import Readers
from gitaly_py.git.reading.stamps import Stamp, is_unchanged, now, stamp_of
from gitaly_py.git.repository import GitRepository
from gitaly_py.storage.errors import (
    GitDirectoryUnreadable,
    PathEscapesStorage,
    RepositoryNotFound,
    RepositoryNotSet,
    RepositoryNotValid,
    RepositoryPathNotSet,
    StorageMissing,
    StorageNameNotSet,
    StorageNotFound,
)
from gitaly_py.storage.paths import clean, is_below, reason_of
from gitaly_py.storage.repository import Repository

_PARTS = ("objects", "refs", "HEAD")

_KNOWN = 4096
"""Repositories that are known to be there as long as their folders don't change."""


class Storages:
    """The storages of a daemon: name → absolute path."""

    def __init__(self, paths: Mapping[str, str], readers: Readers) -> None:
        self._paths = {name: clean(path) for name, path in paths.items()}
        self._readers = readers
        self._known: dict[tuple[object, ...], Repository] = {}

    @property
    def names(self) -> list[str]:
        return list(self._paths)

    def path(self, name: str) -> str:
        """The folder of a storage. Raises StorageNotFound."""
        try:
            return self._paths[name]
        except KeyError:
            raise StorageNotFound(name) from None

    def repository(  # noqa: PLR0913 - the fields of one message
        self,
        storage_name: str,
        relative_path: str,
        *,
        object_directory: str = "",
        alternates: Sequence[str] = (),
        gl_repository: str = "",
        gl_project_path: str = "",
        existing: bool = True,
        known_storage: bool = True,
    ) -> Repository:
        """The repository at `relative_path`, after the checks of repository.md A2 in their order.

        existing: False for RPCs that create it. known_storage: False when the storage may be another node's.
        Raises the errors of `storage.errors`.
        """
        key = (storage_name, relative_path, object_directory, *alternates, gl_repository, gl_project_path)
        known = self._known.get(key) if existing and known_storage else None
        if known is not None and _unchanged(known):
            return known
        if not storage_name and not relative_path:
            raise RepositoryNotSet
        if not relative_path:
            raise RepositoryPathNotSet
        root, path = self._located(storage_name, relative_path) if known_storage else ("", "")
        folder = None
        if existing and known_storage:
            folder = _check_existing(root, path)
        elif known_storage:
            _check_root(root)
        git = GitRepository(
            path,
            clean(f"{path}/{object_directory}") if object_directory else None,
            tuple(clean(f"{path}/{alternate}") for alternate in alternates),
        )
        found = Repository(
            storage_name, root, relative_path, git, self._readers, gl_repository, gl_project_path, folder
        )
        if folder is not None:
            self._keep(key, found)
        return found

    def _keep(self, key: tuple[object, ...], repository: Repository) -> None:
        if len(self._known) >= _KNOWN:
            del self._known[next(iter(self._known))]
        self._known[key] = repository

    def _located(self, storage_name: str, relative_path: str) -> tuple[str, str]:
        if not storage_name:
            raise StorageNameNotSet
        root = self.path(storage_name)
        path = _joined(root, relative_path)
        if path is None:
            _check_root(root)
            raise PathEscapesStorage(relative_path)
        return root, path


@lru_cache(maxsize=4096)
def _joined(root: str, relative_path: str) -> str | None:
    """The path of a repository, None when it leaves the storage."""
    path = clean(f"{root}/{relative_path}")
    return path if is_below(path, root) else None


def _check_root(root: str) -> None:
    if not os.path.isdir(root):
        raise StorageMissing(root)


def _unchanged(repository: Repository) -> bool:
    """Whether its folder is as it was when all of its parts were looked at."""
    try:
        return is_unchanged(repository.path, repository.folder)
    except OSError:
        # Whoever looks again can say why.
        return False


def _check_existing(root: str, path: str) -> Stamp | None:
    try:
        return check_git_directory(path)
    except (RepositoryNotFound, GitDirectoryUnreadable):
        # The storage comes first; where the repository is, it need not be looked at.
        _check_root(root)
        raise


def check_git_directory(path: str) -> Stamp | None:
    """A repository is there, or RepositoryNotFound, GitDirectoryUnreadable, RepositoryNotValid is raised.

    Gives the stamp of its folder if the parts must be there as long as that is the same: None when the
    folder has just changed, or when a part is a link, whose end may go at any time.
    """
    read_at = now()
    try:
        found = os.stat(path)
    except FileNotFoundError:
        raise RepositoryNotFound(path) from None
    except (OSError, ValueError) as error:
        raise GitDirectoryUnreadable(reason_of(error)) from error
    if not stat.S_ISDIR(found.st_mode):
        raise GitDirectoryUnreadable("not a directory")
    linked = [_is_link(path, part) for part in _PARTS]
    folder = stamp_of(found)
    return folder if folder.settled(read_at) and not any(linked) else None


def _is_link(path: str, part: str) -> bool:
    try:
        linked = stat.S_ISLNK(os.lstat(f"{path}/{part}").st_mode)
        if linked:
            os.stat(f"{path}/{part}")
    except OSError:
        raise RepositoryNotValid(part) from None
    return linked
