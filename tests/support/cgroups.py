"""Control groups: trees of plain files that stand for the kernel's, and the machine's own."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gitaly_py.config import parse
from gitaly_py.config.cgroups import Cgroups

VERSION1 = "/sys/fs/cgroup"
VERSION2 = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")


def settings(mountpoint: Path | str, toml: str = "", root: str = "gitaly") -> Cgroups:
    """`[cgroups]` as it is after loading; four groups for repositories unless `toml` says otherwise."""
    count = "" if "repositories.count" in toml else "repositories.count = 4\n"
    header = f'[cgroups]\nmountpoint = "{mountpoint}"\nhierarchy_root = "{root}"\n'
    return parse(f"{header}{count}{toml}".encode()).cgroups


def plain_version1(folder: Path) -> Path:
    """Folders that look like those of version 1."""
    for controller in ("memory", "cpu"):
        (folder / controller).mkdir()
        (folder / controller / "cgroup.procs").touch()
    return folder


def plain_version2(folder: Path, controllers: str = "cpuset cpu io memory pids") -> Path:
    """A folder that looks like that of version 2."""
    (folder / "cgroup.controllers").write_text(controllers)
    return folder


@contextmanager
def _root(folders: list[Path]) -> Iterator[str]:
    name = f"gitaly-py-test-{uuid.uuid4().hex}"
    try:
        for folder in folders:
            (folder / name).mkdir()
            probe = folder / name / "cgroup.procs"
            if not os.access(probe, os.W_OK):
                pytest.skip(f"{probe} can't be written")
    except OSError as error:
        pytest.skip(f"no control groups to be made here: {error}")
    try:
        yield name
    finally:
        for folder in folders:
            for path, _, _ in os.walk(folder / name, topdown=False):
                os.rmdir(path)


@contextmanager
def version1() -> Iterator[str]:
    """The name of a group of the machine's own control groups of version 1; skips where there are none."""
    with _root([Path(VERSION1, "memory"), Path(VERSION1, "cpu")]) as name:
        yield name


@contextmanager
def version2() -> Iterator[tuple[str, str]]:
    """Mount point and name of a group of those of version 2; skips where there are none."""
    mounts = [mount for mount in VERSION2 if os.path.exists(f"{mount}/cgroup.controllers")]
    if not mounts:
        pytest.skip("no control groups of version 2 are mounted")
    with _root([Path(mounts[0])]) as name:
        yield mounts[0], name


def members(pid: int) -> str:
    """The control groups of a process, as the kernel names them."""
    return Path(f"/proc/{pid}/cgroup").read_text()
