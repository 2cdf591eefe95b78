"""`git archive --remote` of `ssh://` URLs."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.support.repositories import Repo
from tests.support.smarthttp import noisy
from tests.support.ssh import SshGit


@pytest.fixture(params=[False, True], ids=["multiplexed", "plain"])
def git(request: pytest.FixtureRequest, daemon: Daemon, tmp_path: Path) -> SshGit:
    return SshGit(tmp_path / "home", daemon, streaming=request.param)


def archived(git: SshGit, repo: Repo, *args: str) -> Path:
    """The archive that git writes for a remote repository."""
    path = git.home / "archive"
    git("archive", f"--output={path}", "--remote", git.url(repo.message.relative_path), *args)
    return path


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_an_archive_is_the_one_git_makes_on_the_spot(git: SshGit, any_format_repo: Repo, kind: str) -> None:
    repo = any_format_repo
    repo.commit("new\n", {"a/b": b"content", "c": ("100755", b"c")}, ref="refs/heads/main")
    arguments = [f"--format={kind}", "--prefix=p/", "main"]

    path = archived(git, repo, *arguments)

    assert path.read_bytes() == repo.git_bytes("archive", *arguments)
    assert [(ending["code"], ending["exit_status"]) for ending in git.endings] == [("OK", 0)]


def test_a_large_archive_arrives_whole(git: SshGit, repo: Repo) -> None:
    noisy(repo, 20_000_000)

    path = archived(git, repo, "--format=tar", "main", "noise")

    with tarfile.open(path) as tar:
        assert [(member.name, member.size) for member in tar.getmembers()] == [("noise", 20_000_000)]


def test_formats_are_listed(git: SshGit, repo: Repo) -> None:
    repo.history(1, "refs/heads/main")

    listed = git("archive", "--list", "--remote", git.url(repo.message.relative_path))

    assert listed.split() == ["tar", "tgz", "tar.gz", "zip"]


def test_what_git_complains_of_reaches_the_user(git: SshGit, repo: Repo) -> None:
    repo.history(1, "refs/heads/main")

    errors = git.refused("archive", "--remote", git.url(repo.message.relative_path), "nowhere")

    assert "remote: fatal: no such ref: nowhere" in errors
    assert [(ending["code"], ending["exit_status"]) for ending in git.endings] == [("INTERNAL", 128)]


def test_a_repository_that_is_not_there_is_said_to_be_missing(git: SshGit) -> None:
    errors = git.refused("archive", "--remote", git.url("nowhere.git"), "main")

    assert "remote: repository not found" in errors


def test_a_client_that_closes_its_output_ends_the_archive(git: SshGit, repo: Repo) -> None:
    noisy(repo, 20_000_000)
    line = git.line("archive", "--format=tar", "--remote", git.url(repo.message.relative_path), "main")

    with subprocess.Popen(line, cwd=git.home, env=git.environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(1000)
        process.stdout.close()

    assert process.returncode != 0
