"""A bare repository on local disk, as the git layer addresses it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GitRepository:
    """Where a repository's data lives. All paths are absolute and cleaned.

    object_directory: the object store to use instead of `path/objects` (a quarantine), or None.
    alternate_object_directories: further read-only object stores (repository.md A3).
    """

    path: str
    object_directory: str | None = None
    alternate_object_directories: tuple[str, ...] = ()
