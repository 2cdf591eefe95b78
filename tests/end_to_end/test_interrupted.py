"""Clients, and the gateway, that go away in the middle of a push or a fetch."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.support.gateway import Gateway
from tests.support.plain_git import PlainGit, assert_whole, incoming, objects
from tests.support.pushes import eventually, install
from tests.support.repositories import Repo
from tests.support.smarthttp import git_processes, noisy


@pytest.fixture
def git(tmp_path: Path) -> PlainGit:
    return PlainGit(tmp_path / "home", ["core.compression=0"])


def begun(git: PlainGit, *args: str) -> subprocess.Popen[bytes]:
    """A git command with all its helpers in a process group."""
    return subprocess.Popen(
        git.line(*args),
        cwd=git.home,
        env=git.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def kill(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


async def pushing(git: PlainGit, repo: Repo, url: str) -> subprocess.Popen[bytes]:
    """A push that waits in its hook for ever."""
    source = Repo.init(git.home / "source")
    noisy(source, 300_000)
    install(Path(repo.path, "custom_hooks/pre-receive"), "touch waiting; exec sleep 600")
    process = begun(git, "-C", source.path, "push", url, "main")
    await eventually(lambda: Path(repo.path, "waiting").exists())
    return process


async def test_a_client_killed_in_mid_push_leaves_nothing_behind(
    git: PlainGit, gateway: Gateway, daemon: Daemon, repo: Repo
) -> None:
    process = await pushing(git, repo, gateway.url(repo.message.relative_path))

    kill(process)

    await eventually(lambda: not git_processes(daemon, repo))
    assert (repo.references(), objects(repo.git_dir), incoming(repo)) == ({}, set(), [])


async def test_a_gateway_killed_in_mid_push_leaves_nothing_behind(
    git: PlainGit, daemon: Daemon, repo: Repo, tmp_path_factory: pytest.TempPathFactory
) -> None:
    gateway = Gateway(tmp_path_factory.mktemp("gateway"), daemon).start()
    process = await pushing(git, repo, gateway.url(repo.message.relative_path))

    gateway.kill()

    await eventually(lambda: not git_processes(daemon, repo))
    assert process.wait(30) != 0
    assert (repo.references(), objects(repo.git_dir), incoming(repo)) == ({}, set(), [])


async def test_a_client_killed_in_mid_fetch_leaves_no_git_behind(
    git: PlainGit, gateway: Gateway, daemon: Daemon, repo: Repo
) -> None:
    noisy(repo, 40_000_000)
    process = begun(git, "clone", gateway.url(repo.message.relative_path), "clone")
    await eventually(lambda: bool(git_processes(daemon, repo)))
    os.killpg(process.pid, signal.SIGSTOP)

    kill(process)

    await eventually(lambda: not git_processes(daemon, repo))
    assert_whole(repo.git_dir)


async def test_a_gateway_told_to_stop_finishes_what_runs(
    git: PlainGit, daemon: Daemon, repo: Repo, tmp_path_factory: pytest.TempPathFactory
) -> None:
    gateway = Gateway(tmp_path_factory.mktemp("gateway"), daemon).start()
    source = Repo.init(git.home / "source")
    oid = noisy(source, 1000)
    install(
        Path(repo.path, "custom_hooks/pre-receive"), "touch waiting; until [ -e go ]; do sleep 0.02; done"
    )
    process = begun(git, "-C", source.path, "push", gateway.url(repo.message.relative_path), "main")
    await eventually(lambda: Path(repo.path, "waiting").exists())

    gateway.terminate()
    await eventually(lambda: not gateway.accepts())
    Path(repo.path, "go").touch()

    assert process.wait(30) == 0
    assert gateway.wait() == 0
    assert repo.references() == {b"refs/heads/main": oid}
