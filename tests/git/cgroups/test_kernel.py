"""Git processes in the control groups of the machine that the tests run on (daemon.md 6.7)."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from structlog.testing import capture_logs

from gitaly_py.git.cgroups.groups import ControlGroups
from gitaly_py.git.commands import Command
from gitaly_py.git.errors import ControlGroupsUnusable
from gitaly_py.git.process import PIPE, Git, Stderr
from gitaly_py.git.settings import GitSettings
from gitaly_py.limits.conditions import CgroupCpu
from gitaly_py.telemetry import fields
from tests.support.cgroups import VERSION1, members, settings, version1, version2
from tests.support.repositories import GIT, Repo

CAT_FILE = Command(name="cat-file", flags=["--batch"])

Maker = Callable[..., ControlGroups]


@pytest.fixture(params=[1, 2], ids=["version 1", "version 2"])
def make(request: pytest.FixtureRequest) -> Iterator[Maker]:
    """Makes the groups of a daemon, of which nothing is left afterwards."""
    with ExitStack() as stack:
        mountpoint, root = VERSION1, ""
        if request.param == 1:
            root = stack.enter_context(version1())
        else:
            mountpoint, root = stack.enter_context(version2())
        yield lambda toml="", pid=None, storages=(): ControlGroups(
            settings(mountpoint, toml, root), dict(storages), pid=pid or os.getpid()
        )


@pytest.fixture
def make1() -> Iterator[Maker]:
    """The same, of version 1, which has all controllers where it is there."""
    with version1() as root:
        yield lambda toml: ControlGroups(settings(VERSION1, toml, root), {}, pid=os.getpid())


@asynccontextmanager
async def git_in(groups: ControlGroups) -> AsyncIterator[Git]:
    groups.prepare()
    git = Git(GitSettings(binary=GIT), groups)
    try:
        yield git
    finally:
        await git.close()
        groups.remove()


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def test_git_runs_in_the_group_of_its_repository(make: Maker, tmp_path: Path) -> None:
    repo = Repo.init(tmp_path / "r.git")
    groups = make("repositories.count = 1000\n", storages={"default": str(tmp_path)})
    record = fields.opened()
    async with git_in(groups) as git, git.start(repo.repository, CAT_FILE, stdin=PIPE) as process:
        await until(lambda: "/repos-" in members(process.pid))

        group = groups.admit(process.pid, "default/r.git", lambda: False)
        lines = members(process.pid).splitlines()
        assert [line for line in lines if f"/{group}" in line] == [
            line for line in lines if "/repos-" in line
        ]
        assert record["command.cgroup_path"] == group
    assert not any(os.path.exists(folder) for folder in groups._hierarchy.folders(groups.path))


async def test_another_program_has_a_group_by_its_arguments(make: Maker, tmp_path: Path) -> None:
    groups = make("repositories.count = 1000\n")
    record = fields.opened()
    async with (
        git_in(groups) as git,
        git.start_program(["/bin/cat", "-u"], cwd=str(tmp_path), stdin=PIPE) as process,
    ):
        expected = groups.admit(process.pid, "/bin/cat/-u", lambda: False)
        await until(lambda: f"/{expected}" in members(process.pid))
        assert record["command.cgroup_path"] == expected


async def test_what_a_process_starts_at_once_is_in_its_group(make: Maker, tmp_path: Path) -> None:
    async with (
        git_in(make()) as git,
        git.start_program(
            ["/bin/sh", "-c", "exec 3<&0; (cat <&3; :) & echo $!; wait"], cwd=str(tmp_path), stdin=PIPE
        ) as process,
    ):
        child = int(await process.read_until(b"\n"))
        await until(lambda: [each for each in psutil.Process(child).children() if each.name() == "cat"])
        (grandchild,) = psutil.Process(child).children()
        for pid in (process.pid, child, grandchild.pid):
            await until(lambda pid=pid: "/repos-" in members(pid))


async def test_the_load_of_processes_is_seen(make1: Maker, tmp_path: Path) -> None:
    groups = make1("memory_bytes = 1073741824\n")
    script = "import sys; sys.stdin.readline(); kept = b'x' * (64 << 20); print(flush=True); sys.stdin.read()"
    async with (
        git_in(groups) as git,
        git.start_program([sys.executable, "-c", script], cwd=str(tmp_path), stdin=PIPE) as process,
    ):
        await until(lambda: "/repos-" in members(process.pid))
        assert process.stdin is not None
        await process.stdin.write(b"\n")
        await process.read_until(b"\n")
        load = groups.load()

    assert (load.limit_bytes, load.under_oom) == (1 << 30, False)
    assert load.anon_bytes is not None
    assert load.memory_bytes is not None
    assert 64 << 20 <= load.anon_bytes <= load.memory_bytes


async def test_too_much_memory_ends_a_process_of_the_repository(make1: Maker, tmp_path: Path) -> None:
    if psutil.swap_memory().total:
        pytest.skip("memory beyond the limit would go to swap space")
    script = "import sys; sys.stdin.readline(); b'x' * (256 << 20)"
    async with (
        git_in(make1("repositories.memory_bytes = 33554432\n")) as git,
        git.start_program(
            [sys.executable, "-c", script], cwd=str(tmp_path), stdin=PIPE, stderr=Stderr.KEEP
        ) as process,
    ):
        await until(lambda: "/repos-" in members(process.pid))
        assert process.stdin is not None
        await process.stdin.write(b"\n")
        async with asyncio.timeout(60):
            assert await process.exited() == -9


async def test_a_quota_throttles_and_that_is_a_reason_to_shrink_limits(make1: Maker, tmp_path: Path) -> None:
    groups, condition = make1("cpu_quota_us = 5000\n"), CgroupCpu(0.1)
    async with (
        git_in(groups) as git,
        git.start_program(["/bin/sh", "-c", "while :; do :; done"], cwd=str(tmp_path)),
    ):
        await until(lambda: condition.check(groups.load()))


def test_pressure_is_known_in_version_2() -> None:
    with version2() as (mountpoint, root):
        groups = ControlGroups(settings(mountpoint, root=root), {}, pid=os.getpid())
        groups.prepare()
        load = groups.load()
        groups.remove()
    if not os.path.exists("/proc/pressure/cpu"):
        pytest.skip("the kernel doesn't account pressure")

    assert load.memory_pressure is not None
    assert load.memory_pressure.full is not None
    assert load.io_pressure is not None
    assert load.cpu_pressure is not None


def test_a_limit_whose_controller_is_missing_keeps_the_daemon_from_starting() -> None:
    with version2() as (mountpoint, root):
        if "memory" in Path(mountpoint, "cgroup.controllers").read_text().split():
            pytest.skip("the controller is there")
        groups = ControlGroups(settings(mountpoint, "memory_bytes = 1000000\n", root), {}, pid=os.getpid())
        with pytest.raises(
            ControlGroupsUnusable,
            match=r"/memory.max: Permission denied \(the file is missing: is its controller enabled",
        ):
            groups.prepare()


def test_a_process_that_is_gone_is_no_fault(make: Maker) -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    groups = make()
    groups.prepare()
    with capture_logs() as logs:
        groups.admit(gone.pid, "", lambda: True)
        groups.close()
    groups.remove()

    assert not logs


def test_groups_are_removed_once_their_last_process_has_left(make: Maker) -> None:
    groups = make()
    groups.prepare()
    with subprocess.Popen(["sleep", "0.3"]) as process:
        groups.admit(process.pid, "", lambda: True)
        groups.close()
        assert "/repos-" in members(process.pid)
        reaper = threading.Thread(target=process.wait)
        reaper.start()
        groups.remove()
        reaper.join()

    assert not any(os.path.exists(folder) for folder in groups._hierarchy.folders(groups.path))


async def test_closing_git_waits_until_the_last_process_is_where_it_belongs(make: Maker) -> None:
    groups = make()
    groups.prepare()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        groups.admit(process.pid, "", lambda: True)
        await Git(GitSettings(binary=GIT), groups).close()
        assert "/repos-" in members(process.pid)
    groups.remove()


def test_groups_of_a_dead_daemon_are_kept_as_long_as_its_processes_run(make: Maker) -> None:
    with subprocess.Popen(["true"]) as dead:
        dead.wait()
    former, now = make(pid=dead.pid), make()
    former.prepare()
    now.prepare()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        former.admit(process.pid, "", lambda: True)
        former.close()
        with capture_logs() as logs:
            now.prune()
        (folder, *_) = former._hierarchy.folders(former.path)
        assert os.path.exists(folder)
        assert "control group not removed" in [each["event"] for each in logs]
    now.prune()

    assert not any(os.path.exists(folder) for folder in former._hierarchy.folders(former.path))
    assert all(os.path.exists(folder) for folder in now._hierarchy.folders(now.path))
    now.remove()
