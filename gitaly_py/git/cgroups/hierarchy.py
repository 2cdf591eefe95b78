"""What the two versions of control groups have in common. A group is a path below the mount point."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final, TypeAlias

from gitaly_py.config.cgroups import Cgroups, Repositories
from gitaly_py.git.cgroups import files
from gitaly_py.limits.load import Load

Limits: TypeAlias = Cgroups | Repositories
"""memory_bytes, cpu_shares, cpu_quota_us of a group; 0 is no limit."""

PERIOD_US: Final = 100_000
"""The time that a CPU quota is for."""


class Hierarchy(ABC):
    """The control groups of a machine. mounts: folders that each have every group. All methods block."""

    def __init__(self, mounts: Sequence[str]) -> None:
        self._mounts = mounts

    def folders(self, group: str) -> list[str]:
        """The folders of a group."""
        return [f"{mount}/{group}" for mount in self._mounts]

    def make(self, group: str, limits: Limits) -> None:
        """Makes a group in one that is there; only limits it when it is there itself. Raises OSError."""
        for folder in self.folders(group):
            with suppress(FileExistsError):
                os.mkdir(folder)
        for path, value in self._settings(group, limits):
            files.write(path, value)

    def admit(self, group: str, pid: int) -> None:
        """Puts a process in a group. Raises OSError, ProcessLookupError once it has ended."""
        for folder in self.folders(group):
            files.write(f"{folder}/cgroup.procs", str(pid))

    def inner(self, group: str) -> set[str]:
        """The names of the groups in a group; none where it is missing."""
        names: set[str] = set()
        for folder in self.folders(group):
            with suppress(FileNotFoundError), os.scandir(folder) as entries:
                names.update(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        return names

    def remove(self, group: str) -> None:
        """Removes an empty group. Raises OSError, with EBUSY while there are processes in it."""
        for folder in self.folders(group):
            with suppress(FileNotFoundError):
                os.rmdir(folder)

    def delegate(self, group: str) -> None:  # noqa: B027 - nothing to do in version 1
        """Lets the groups in `group` be limited. Raises OSError."""

    @abstractmethod
    def load(self, group: str) -> Load:
        """The load of a group. Raises OSError, FileNotFoundError for one that isn't there, ValueError."""

    @abstractmethod
    def _settings(self, group: str, limits: Limits) -> Iterator[tuple[str, str]]:
        """Files and what to write to them."""
