"""Clients killed in the middle of what they do over ssh, and a daemon that is."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.plain_git import assert_whole, incoming, objects
from tests.support.pushes import eventually, install
from tests.support.repositories import Repo
from tests.support.smarthttp import git_processes, noisy
from tests.support.ssh import SshGit


@pytest.fixture(params=[False, True], ids=["multiplexed", "plain"])
def git(request: pytest.FixtureRequest, daemon: Daemon, tmp_path: Path) -> SshGit:
    return SshGit(tmp_path / "home", daemon, streaming=request.param, config=["core.compression=0"])


def begun(git: SshGit, *args: str) -> subprocess.Popen[bytes]:
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
    """Ends git and its ssh at once, as a machine that loses power does."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def pushing(git: SshGit, repo: Repo, hook: str) -> subprocess.Popen[bytes]:
    """A push of a few hundred kilobytes to a repository with a pre-receive hook."""
    source = Repo.init(git.home / "source")
    noisy(source, 300_000)
    install(Path(repo.path, "custom_hooks/pre-receive"), hook)
    return begun(git, "-C", source.path, "push", git.url(repo.message.relative_path), "main")


async def test_a_client_killed_while_a_hook_runs_leaves_nothing_behind(
    git: SshGit, daemon: Daemon, repo: Repo
) -> None:
    process = pushing(git, repo, "touch waiting; exec sleep 600")
    await eventually(lambda: Path(repo.path, "waiting").exists())

    kill(process)

    await eventually(lambda: not git_processes(daemon, repo))
    assert (repo.references(), objects(repo.git_dir), incoming(repo)) == ({}, set(), [])


async def test_a_client_killed_in_mid_pack_leaves_nothing_behind(
    git: SshGit, daemon: Daemon, repo: Repo
) -> None:
    source = Repo.init(git.home / "source")
    noisy(source, 60_000_000)
    process = begun(git, "-C", source.path, "push", git.url(repo.message.relative_path), "main")
    await eventually(lambda: bool(incoming(repo)))

    kill(process)

    await eventually(lambda: not git_processes(daemon, repo))
    assert (repo.references(), objects(repo.git_dir), incoming(repo)) == ({}, set(), [])


async def test_a_push_whose_client_is_killed_after_it_counts_is_kept_whole(
    git: SshGit, daemon: Daemon, repo: Repo
) -> None:
    install(Path(repo.path, "custom_hooks/post-receive"), "touch waiting; exec sleep 600")
    process = pushing(git, repo, "exit 0")
    await eventually(lambda: Path(repo.path, "waiting").exists())

    kill(process)

    await eventually(lambda: not git_processes(daemon, repo))
    assert list(repo.references()) == [b"refs/heads/main"]
    assert incoming(repo) == []
    assert_whole(repo.git_dir)


async def test_a_client_killed_in_mid_clone_leaves_no_git_behind(
    git: SshGit, daemon: Daemon, repo: Repo
) -> None:
    noisy(repo, 60_000_000)
    process = begun(git, "clone", git.url(repo.message.relative_path), "clone")
    await eventually(lambda: bool(git_processes(daemon, repo)))
    os.killpg(process.pid, signal.SIGSTOP)

    kill(process)

    await eventually(lambda: not git_processes(daemon, repo))
    assert_whole(repo.git_dir)


async def test_a_client_killed_in_mid_archive_leaves_no_git_behind(
    git: SshGit, daemon: Daemon, repo: Repo
) -> None:
    noisy(repo, 60_000_000)
    process = begun(git, "archive", "--remote", git.url(repo.message.relative_path), "main")
    await eventually(lambda: bool(git_processes(daemon, repo)))
    os.killpg(process.pid, signal.SIGSTOP)

    kill(process)

    await eventually(lambda: not git_processes(daemon, repo))


@pytest.fixture
def stoppable(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Iterator[Daemon]:
    # Its sockets need a short path.
    started = Daemon(tmp_path_factory.mktemp("own"), engine=engine, grace="60s").start()
    yield started
    started.stop()


async def test_a_daemon_told_to_stop_finishes_a_push(stoppable: Daemon, tmp_path: Path) -> None:
    git = SshGit(tmp_path / "home", stoppable)
    repo = repository_in(stoppable.storage)
    process = pushing(git, repo, "touch waiting; until [ -e go ]; do sleep 0.02; done")
    await eventually(lambda: Path(repo.path, "waiting").exists())

    stoppable.send(signal.SIGTERM)
    Path(repo.path, "go").touch()

    assert process.wait(60) == 0
    assert stoppable.wait(60) == 0
    assert list(repo.references()) == [b"refs/heads/main"]


async def test_a_killed_daemon_has_taken_nothing(stoppable: Daemon, tmp_path: Path) -> None:
    git = SshGit(tmp_path / "home", stoppable)
    repo = repository_in(stoppable.storage)
    process = pushing(git, repo, "touch waiting; sleep 2")
    await eventually(lambda: Path(repo.path, "waiting").exists())
    receiving = git_processes(stoppable, repo)

    stoppable.kill()

    assert process.wait(60) != 0
    await eventually(lambda: not any(psutil.pid_exists(pid) for pid in receiving))
    assert repo.references() == {}
