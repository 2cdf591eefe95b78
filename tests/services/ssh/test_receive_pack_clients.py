"""Clients of SSHReceivePack that go away in the middle of a push."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.support.plain_git import incoming, objects
from tests.support.pushes import eventually, install
from tests.support.repositories import Repo
from tests.support.smarthttp import arguments_of, creation, git_processes, never
from tests.support.ssh import answered, begin

METHOD = "SSHReceivePack"


@pytest.mark.parametrize("cut", [100_000, 300], ids=["in mid pack", "before the pack"])
async def test_a_client_that_hangs_up_in_mid_push_leaves_nothing_behind(
    daemon: Daemon, repo: Repo, tmp_path: Path, cut: int
) -> None:
    _, body = creation(repo, Repo.init(tmp_path / "s"), noise=200_000)
    pushing = begin(daemon.channel, METHOD, repo, [body[:cut]], rest=never())
    waiting = asyncio.ensure_future(answered(pushing))
    await eventually(lambda: bool(incoming(repo)))

    pushing.cancel()

    await eventually(lambda: not git_processes(daemon, repo))
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (repo.references(), objects(repo.git_dir), incoming(repo)) == ({}, set(), [])


async def test_a_client_that_hangs_up_ends_the_hook_it_waits_for(
    daemon: Daemon, repo: Repo, tmp_path: Path
) -> None:
    _, body = creation(repo, Repo.init(tmp_path / "s"))
    install(Path(repo.path, "custom_hooks/pre-receive"), "touch started; exec sleep 600")
    pushing = begin(daemon.channel, METHOD, repo, [body], rest=never())
    waiting = asyncio.ensure_future(answered(pushing))
    await eventually(lambda: Path(repo.path, "started").exists())

    pushing.cancel()

    await eventually(lambda: not git_processes(daemon, repo) and not sleeping(daemon))
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (repo.references(), incoming(repo)) == ({}, [])


async def test_a_hook_that_fills_stderr_does_not_keep_a_given_up_push(
    daemon: Daemon, repo: Repo, tmp_path: Path
) -> None:
    _, body = creation(repo, Repo.init(tmp_path / "s"))
    install(Path(repo.path, "custom_hooks/pre-receive"), "touch started; exec yes noise >&2")
    pushing = begin(daemon.channel, METHOD, repo, [body], rest=never())
    await pushing.read()
    await eventually(lambda: Path(repo.path, "started").exists())

    pushing.cancel()

    await eventually(lambda: not git_processes(daemon, repo))
    assert (repo.references(), incoming(repo)) == ({}, [])


def sleeping(daemon: Daemon) -> list[int]:
    return [child.pid for child in daemon.children() if arguments_of(child)[:2] == ["sleep", "600"]]
