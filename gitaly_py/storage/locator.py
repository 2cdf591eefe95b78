"""Finds repositories by storage name and relative path (repository.md A2)."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from functools import lru_cache

from gitaly_py.git.reading.cache import Readers
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


class Storages:
    """The storages of a daemon: name → absolute path."""

    def __init__(self, paths: Mapping[str, str], readers: Readers) -> None:
        self._paths = {name: clean(path) for name, path in paths.items()}
        self._readers = readers

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
        if not storage_name and not relative_path:
            raise RepositoryNotSet
        if not relative_path:
            raise RepositoryPathNotSet
        root, path = self._located(storage_name, relative_path) if known_storage else ("", "")
        if existing and known_storage:
            _check_existing(root, path)
        elif known_storage:
            _check_root(root)
        git = GitRepository(
            path,
            clean(f"{path}/{object_directory}") if object_directory else None,
            tuple(clean(f"{path}/{alternate}") for alternate in alternates),
        )
        return Repository(
            storage_name, root, relative_path, git, self._readers, gl_repository, gl_project_path
        )

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


def _check_existing(root: str, path: str) -> None:
    try:
        check_git_directory(path)
    except (RepositoryNotFound, GitDirectoryUnreadable):
        # The storage comes first; where the repository is, it need not be looked at.
        _check_root(root)
        raise


def check_git_directory(path: str) -> None:
    """A repository is there, or RepositoryNotFound, GitDirectoryUnreadable, RepositoryNotValid is raised."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        raise RepositoryNotFound(path) from None
    except (OSError, ValueError) as error:
        raise GitDirectoryUnreadable(reason_of(error)) from error
    if not stat.S_ISDIR(found.st_mode):
        raise GitDirectoryUnreadable("not a directory")
    for part in _PARTS:
        try:
            os.stat(f"{path}/{part}")
        except OSError:
            raise RepositoryNotValid(part) from None
