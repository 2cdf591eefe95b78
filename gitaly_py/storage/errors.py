"""What can be wrong with a storage or a repository in it (repository.md A2, A3, A10, A11).

StorageError
├── InvalidRepository           the address can't be right, whatever is on disk
│   ├── RepositoryNotSet
│   ├── RepositoryPathNotSet
│   ├── StorageNameNotSet
│   ├── StorageNotFound
│   └── PathEscapesStorage
├── StorageMissing
├── RepositoryNotFound
├── RepositoryNotValid
├── GitDirectoryUnreadable      no code of its own
├── ObjectDirectoryNotSet
├── ObjectDirectoryEscapes
├── ObjectDirectoryMissing
├── AlreadyLocked
├── PreLockStatFailed           creating
├── RepositoryExists            creating
├── InitialBranchInvalid        creating
├── CreationLocked              creating
├── RepositoryGone              removing
├── RemovalLocked               removing
├── ConcurrentlyRemoved         removing
├── SizeUnknown
├── FileUnreadable
├── AlternateOutside
└── DamagedFile
"""

from __future__ import annotations

from gitaly_py.git.wire.goquote import quote

_FACTS = ("path", "relative_path")


class StorageError(Exception):
    """Base of the errors of this package."""

    @property
    def facts(self) -> dict[str, str]:
        """What the log says of the error beside its text (daemon.md 9)."""
        return {name: getattr(self, name) for name in _FACTS if hasattr(self, name)}


class InvalidRepository(StorageError):
    """The address of a repository is unusable, whatever is on disk."""


class RepositoryNotSet(InvalidRepository):
    """The request names no repository."""

    def __init__(self) -> None:
        super().__init__("repository not set")


class RepositoryPathNotSet(InvalidRepository):
    def __init__(self) -> None:
        super().__init__("repository path not set")


class StorageNameNotSet(InvalidRepository):
    def __init__(self) -> None:
        super().__init__("storage name not set")


class StorageNotFound(InvalidRepository):
    """No storage of this name is configured."""

    def __init__(self, name: str) -> None:
        super().__init__("storage name not found")
        self.name = name

    @property
    def facts(self) -> dict[str, str]:
        return {"storage_name": self.name}


class PathEscapesStorage(InvalidRepository):
    """The relative path leads out of the storage."""

    def __init__(self, relative_path: str) -> None:
        super().__init__("relative path escapes root directory")
        self.relative_path = relative_path


class StorageMissing(StorageError):
    """The folder of a configured storage is gone."""

    def __init__(self, path: str) -> None:
        super().__init__("storage does not exist")
        self.path = path


class RepositoryNotFound(StorageError):
    def __init__(self, path: str) -> None:
        super().__init__("repository not found")
        self.path = path


class RepositoryNotValid(StorageError):
    """A folder that lacks a part every repository has."""

    def __init__(self, missing: str) -> None:
        super().__init__(f'repository not valid: "{missing}" does not exist')
        self.missing = missing


class GitDirectoryUnreadable(StorageError):
    """The path can't be looked at, or is no folder. It has no code of its own (repository.md A2 row 9)."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"validate git directory: {reason}")
        self.reason = reason


class ObjectDirectoryNotSet(StorageError):
    def __init__(self) -> None:
        super().__init__("object directory path is not set")


class ObjectDirectoryEscapes(StorageError):
    def __init__(self, path: str) -> None:
        super().__init__("not a valid relative path: relative path escapes root directory")
        self.path = path


class ObjectDirectoryMissing(StorageError):
    def __init__(self, path: str) -> None:
        super().__init__(f'object directory does not exist: "{path}"')
        self.path = path


class RepositoryExists(StorageError):
    def __init__(self, path: str) -> None:
        super().__init__("repository exists already")
        self.path = path


class AlreadyLocked(StorageError):
    def __init__(self, path: str) -> None:
        super().__init__("file already locked")
        self.path = path


class RepositoryGone(StorageError):
    """A repository that was to be removed is not there any more."""

    def __init__(self, path: str) -> None:
        super().__init__("repository does not exist")
        self.path = path


class RemovalLocked(StorageError):
    def __init__(self, path: str) -> None:
        super().__init__("repository is already locked")
        self.path = path


class ConcurrentlyRemoved(StorageError):
    def __init__(self, path: str) -> None:
        super().__init__("repository was concurrently removed")
        self.path = path


class PreLockStatFailed(StorageError):
    """The target of a creation can't be looked at."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"pre-lock stat: {reason}")


class CreationLocked(StorageError):
    """Someone else holds the lock of the path that a new repository should get."""

    def __init__(self, path: str) -> None:
        super().__init__("locking repository: file already locked")
        self.path = path


class InitialBranchInvalid(StorageError):
    """The branch that HEAD should name can be none; the text is git's own."""

    def __init__(self, branch: bytes) -> None:
        stderr = b"fatal: invalid initial branch name: '" + branch + b"'\n"
        super().__init__(f"creating repository: exit status 128, stderr: {quote(stderr)}")
        self.branch = branch


class SizeUnknown(StorageError):
    def __init__(self, reason: str) -> None:
        super().__init__(f"calculating directory size: {reason}")


class FileUnreadable(StorageError):
    """A file or folder of a repository can't be read. operation: the system call that failed."""

    def __init__(self, operation: str, path: str, reason: str) -> None:
        super().__init__(f"{operation} {path}: {reason}")
        self.path = path


class AlternateOutside(StorageError):
    """An object directory that a repository borrows from lies in no storage (daemon.md 10)."""

    def __init__(self, path: str) -> None:
        super().__init__(f'alternate "{path}" is outside the storage root')
        self.path = path


class DamagedFile(StorageError):
    """A file of git's whose header is not what it should be."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
