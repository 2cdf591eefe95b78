"""The control groups of one daemon, and which of them a git process belongs to (daemon.md 6.7)."""

from __future__ import annotations

import errno
import os
import random
import re
import time
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

import psutil
import structlog

from gitaly_py.config.cgroups import Cgroups
from gitaly_py.git.cgroups.hierarchy import Hierarchy
from gitaly_py.git.cgroups.version1 import Version1
from gitaly_py.git.cgroups.version2 import MARK, Version2
from gitaly_py.git.errors import ControlGroupsUnusable
from gitaly_py.git.priority import companion
from gitaly_py.limits.load import Load

_log = structlog.get_logger("gitaly")

_OURS: Final = re.compile(r"gitaly-([0-9]+)")
_KEYS: Final = 4096
_TRIES: Final = 100
_TRY_SECONDS: Final = 0.05


class ControlGroups:
    """`<hierarchy_root>/gitaly-<pid>` and in it `repos-<n>`, the groups that processes are put in.

    The daemon's one owner calls `prepare`, `prune`, `load` and `remove`; whoever starts processes calls
    `admit` and `close`. All but `admit` and `key` block. path: of the daemon's group, below the mount point.
    settings: whose `repositories.count` is above 0. storages: their folders by name. pid: the owner's.
    Raises ControlGroupsUnusable where there are no control groups.
    """

    def __init__(self, settings: Cgroups, storages: Mapping[str, str], *, pid: int) -> None:
        self.path = os.path.join(settings.hierarchy_root.strip("/"), f"gitaly-{pid}")
        self._settings = settings
        self._hierarchy = _mounted(settings.mountpoint)
        self._failing = False
        # The kernel takes a few milliseconds to move a process, more when it is short of something.
        self._mover = ThreadPoolExecutor(1, "cgroups", companion())
        roots = sorted(((path, name) for name, path in storages.items()), reverse=True)
        self._key = lru_cache(_KEYS)(partial(_key, roots))

    def prepare(self) -> None:
        """Makes the daemon's group, and the first of those in it to see whether that can be done.

        Raises ControlGroupsUnusable.
        """
        self._remove(self.path, tries=1)
        try:
            self._make_root()
            self._hierarchy.make(self.path, self._settings)
            self._delegate(self.path)
            self._hierarchy.make(self._group(0), self._settings.repositories)
        except OSError as error:
            raise ControlGroupsUnusable(_explained(error)) from error

    def prune(self) -> None:
        """Removes the groups of daemons that are gone."""
        root = os.path.dirname(self.path)
        for name in self._inner(root):
            match = _OURS.fullmatch(name)
            if match is not None and not psutil.pid_exists(int(match[1])):
                _log.info("removing leftover control groups", path=os.path.join(root, name))
                self._remove(os.path.join(root, name), tries=1)

    def remove(self) -> None:
        """Removes the daemon's groups, whose processes have ended by now."""
        self._remove(self.path, tries=_TRIES)

    def key(self, path: str) -> str:
        """What a repository is known by: `<storage>/<relative path>`, or its path outside of all storages."""
        return self._key(path)

    def load(self) -> Load:
        """The load of all groups together. Raises OSError, ValueError."""
        return self._hierarchy.load(self.path)

    def admit(self, pid: int, key: str, lives: Callable[[], bool]) -> str:
        """Puts a process, and what it may have started by now, in a group of its key: soon, in a thread.

        key: of a repository (see `key`), or the joined arguments of another command. lives: whether the
        process is not reaped yet. Returns the group, for logs.
        """
        repositories = self._settings.repositories
        spread = random.randrange(max(repositories.max_cgroups_per_repo, 1))
        first = zlib.crc32(os.fsencode(key)) % repositories.count
        group = self._group((first + spread) % repositories.count)
        self._mover.submit(self._move, group, pid, lives).add_done_callback(partial(self._moved, group))
        return group

    def close(self) -> None:
        """Finishes what `admit` began."""
        self._mover.shutdown()

    def _group(self, number: int) -> str:
        return f"{self.path}/repos-{number}"

    def _make_root(self) -> None:
        root = os.path.dirname(self.path)
        for folder in self._hierarchy.folders(root):
            os.makedirs(folder, exist_ok=True)
        parts = [part for part in root.split("/") if part]
        for depth in range(len(parts) + 1):
            self._delegate("/".join(parts[:depth]))

    def _delegate(self, group: str) -> None:
        # Without limits it is no more than a pity; with limits, setting them fails next.
        try:
            self._hierarchy.delegate(group)
        except OSError as error:
            _log.warning("controllers not handed down to control groups", error=_explained(error))

    def _move(self, group: str, pid: int, lives: Callable[[], bool]) -> None:
        waiting = [pid]
        while waiting and lives():
            process = waiting.pop()
            with suppress(ProcessLookupError):
                self._admit(group, process)
                # Those it starts from now on are in its group from the start.
                waiting += _children(process)

    def _admit(self, group: str, pid: int) -> None:
        try:
            self._hierarchy.admit(group, pid)
        except FileNotFoundError:
            self._hierarchy.make(group, self._settings.repositories)
            self._hierarchy.admit(group, pid)

    def _moved(self, group: str, future: Future[None]) -> None:
        error = future.exception()
        if error is not None and not self._failing:
            _log.error("process not put in its control group", path=group, error=str(error))
        self._failing = error is not None

    def _remove(self, group: str, *, tries: int) -> None:
        for each in (*(f"{group}/{name}" for name in self._inner(group)), group):
            try:
                self._rmdir(each, tries)
            except OSError as error:
                _log.warning("control group not removed", path=each, error=str(error))

    def _inner(self, group: str) -> list[str]:
        try:
            return sorted(self._hierarchy.inner(group))
        except OSError as error:
            _log.warning("control group not read", path=group, error=str(error))
            return []

    def _rmdir(self, group: str, tries: int) -> None:
        """Processes that have just been ended may take a while to leave."""
        while True:
            tries -= 1
            try:
                return self._hierarchy.remove(group)
            except OSError as error:
                if error.errno != errno.EBUSY or not tries:
                    raise
            time.sleep(_TRY_SECONDS)


def _mounted(mountpoint: str) -> Hierarchy:
    if os.path.exists(f"{mountpoint}/{MARK}"):
        return Version2(mountpoint)
    if all(os.path.exists(f"{mountpoint}/{name}/cgroup.procs") for name in ("memory", "cpu")):
        return Version1(mountpoint)
    raise ControlGroupsUnusable(
        f'cgroups.mountpoint: there are no control groups at "{mountpoint}": neither {MARK} (version 2), '
        "nor memory/cgroup.procs and cpu/cgroup.procs (version 1)"
    )


def _key(roots: list[tuple[str, str]], path: str) -> str:
    for root, name in roots:
        if path.startswith(f"{root}/"):
            return f"{name}{path.removeprefix(root)}"
    return path


def _children(pid: int) -> list[int]:
    with suppress(FileNotFoundError, ProcessLookupError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _explained(error: OSError) -> str:
    path = os.fsdecode(error.filename or "")
    missing = path and os.path.isdir(os.path.dirname(path)) and not os.path.exists(path)
    hint = " (the file is missing: is its controller enabled there?)" if missing else ""
    return f"{path}: {error.strerror}{hint}"
