"""`git push` to `ssh://` URLs."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.support.fixtures import NewRepo
from tests.support.plain_git import assert_same, assert_whole, incoming, objects, reachable, references
from tests.support.pushes import install
from tests.support.repositories import Repo
from tests.support.smarthttp import noisy
from tests.support.ssh import SshGit

ZERO = "0" * 40


@pytest.fixture
def git(daemon: Daemon, tmp_path: Path) -> SshGit:
    return SshGit(tmp_path / "home", daemon)


def local(git: SshGit, repo: Repo) -> Repo:
    """A repository to push from, whose `origin` is `repo`."""
    source = Repo.init(git.home / "local", repo.format.name)
    source.git("config", "remote.origin.url", git.url(repo.message.relative_path))
    return source


def remote_lines(errors: str) -> list[str]:
    """What the server's side wrote."""
    return [line.strip() for line in re.findall(r"^remote: ?(.*)$", errors, re.MULTILINE)]


@pytest.mark.parametrize("streaming", [False, True], ids=["multiplexed", "plain"])
@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_a_first_push_brings_branches_and_tags(
    daemon: Daemon, any_format_repo: Repo, tmp_path: Path, protocol: int, streaming: bool
) -> None:
    git = SshGit(tmp_path / "home", daemon, protocol=protocol, streaming=streaming)
    source = local(git, any_format_repo)
    commits = source.history(5, "refs/heads/main")
    source.ref("refs/heads/feature/ünïcode", commits[2])
    source.tag("v1", commits[1])

    git("push", "--quiet", "--mirror", "origin", at=source.path)

    assert_same(any_format_repo.git_dir, source.git_dir)
    assert incoming(any_format_repo) == []
    assert git.endings == [{"verb": "git-receive-pack", "code": "OK", "details": "", "exit_status": None}]


def test_branches_are_moved_forced_and_deleted(git: SshGit, any_format_repo: Repo) -> None:
    source = local(git, any_format_repo)
    commits = source.history(4, "refs/heads/main")
    for name in ("forward", "forced", "deleted"):
        source.ref(f"refs/heads/{name}", commits[1])
    git("push", "--quiet", "origin", "refs/heads/*", at=source.path)
    source.ref("refs/heads/forward", commits[3])
    rewritten = source.commit("rewritten\n", {"other": b"o"}, commits[:1], ref="refs/heads/forced")

    errors = git.refused("push", "origin", "forced", at=source.path)
    git("push", "--quiet", "origin", "forward", "+forced", ":deleted", at=source.path)

    assert "non-fast-forward" in errors
    assert any_format_repo.references() == {
        b"refs/heads/forced": rewritten,
        b"refs/heads/forward": commits[3],
        b"refs/heads/main": commits[3],
    }
    assert reachable(any_format_repo.git_dir) == reachable(
        source.git_dir, "refs/heads/forced", "refs/heads/main"
    )


def test_a_push_that_changes_nothing_is_fine(git: SshGit, repo: Repo) -> None:
    source = local(git, repo)
    source.history(1, "refs/heads/main")
    git("push", "--quiet", "origin", "main", at=source.path)

    finished = git.run("push", "origin", "main", at=source.path)

    assert (finished.status, finished.stderr) == (0, "Everything up-to-date\n")
    assert git.endings[-1]["code"] == "OK"


def test_a_large_push_arrives_whole(git: SshGit, repo: Repo) -> None:
    source = local(git, repo)
    noisy(source, 30_000_000)

    git("push", "--quiet", "origin", "main", at=source.path)

    assert_same(repo.git_dir, source.git_dir)
    assert incoming(repo) == []


def test_thousands_of_references_are_pushed_at_once(git: SshGit, repo: Repo) -> None:
    source = local(git, repo)
    commits = source.history(20)
    lines = "".join(f"create refs/heads/b/{n} {commits[n % 20]}\n" for n in range(2000))
    source.git("update-ref", "--stdin", stdin=lines)

    git("push", "--quiet", "origin", "refs/heads/*", at=source.path)

    assert len(references(repo.git_dir)) == 2000
    assert references(repo.git_dir) == references(source.git_dir)


def test_a_failed_reference_of_an_atomic_push_fails_all(git: SshGit, repo: Repo) -> None:
    source = local(git, repo)
    source.history(1, "refs/heads/main")

    errors = git.refused("push", "--atomic", "origin", "main", "main:refs/heads/main/below", at=source.path)

    assert "atomic transaction failed" in errors or "failed to update ref" in errors
    assert references(repo.git_dir) == []
    assert git.endings[-1]["code"] == "OK"


def test_a_hook_may_refuse_one_of_several_references(git: SshGit, repo: Repo) -> None:
    source = local(git, repo)
    oid = source.history(1, "refs/heads/main")[0]
    install(Path(repo.path, "custom_hooks/update"), 'case "$1" in */bad) echo "not $1"; exit 1;; esac')

    errors = git.refused("push", "origin", "main", "main:refs/heads/bad", at=source.path)

    assert "hook declined" in errors
    assert remote_lines(errors)[0] == "not refs/heads/bad"
    assert repo.references() == {b"refs/heads/main": oid}


def test_a_push_that_a_hook_refuses_leaves_nothing(git: SshGit, repo: Repo) -> None:
    source = local(git, repo)
    source.commit("new\n", {"new": os.urandom(200_000)}, ref="refs/heads/main")
    install(Path(repo.path, "custom_hooks/pre-receive"), "echo out; echo err >&2; exit 7")

    errors = git.refused("push", "origin", "main", at=source.path)

    assert remote_lines(errors) == ["out", "err"] or remote_lines(errors) == ["err", "out"]
    assert "pre-receive hook declined" in errors
    assert (repo.references(), objects(repo.git_dir), incoming(repo)) == ({}, set(), [])


def test_hooks_see_the_push_its_options_and_its_quarantine(git: SshGit, repo: Repo) -> None:
    source = local(git, repo)
    oid = source.history(1, "refs/heads/main")[0]
    script = 'cat; echo "$GIT_PUSH_OPTION_0"; git cat-file -t ' + oid
    install(Path(repo.path, "custom_hooks/pre-receive"), script)
    install(Path(repo.path, "custom_hooks/post-receive"), 'echo "after $GL_PROTOCOL $GL_ID"')

    finished = git.run("push", "--push-option=ci.skip", "origin", "main", at=source.path)

    assert finished.status == 0
    assert remote_lines(finished.stderr) == [
        f"{ZERO} {oid} refs/heads/main",
        "ci.skip",
        "commit",
        "after ssh user-7",
    ]


@pytest.mark.parametrize("name", ["refs/merge-requests/1/head", "refs/keep-around/kept", "refs/tmp/1"])
def test_a_hidden_reference_cannot_be_pushed(git: SshGit, new_repo: NewRepo, name: str) -> None:
    repo = new_repo()
    source = local(git, repo)
    source.history(1, "refs/heads/main")

    errors = git.refused("push", "origin", f"main:{name}", at=source.path)

    assert "deny updating a hidden ref" in errors
    assert references(repo.git_dir) == []


def test_a_shallow_clone_may_push(git: SshGit, repo: Repo) -> None:
    repo.history(10, "refs/heads/main")
    git("clone", "--quiet", "--depth=2", git.url(repo.message.relative_path), "clone")
    git("commit", "--quiet", "--allow-empty", "--message=new", at=git.home / "clone")

    git("push", "--quiet", "origin", "main", at=git.home / "clone")

    pushed = git("rev-parse", "main", at=git.home / "clone").strip()
    assert repo.references() == {b"refs/heads/main": pushed}
    assert_whole(repo.git_dir)


def test_a_push_over_the_size_limit_says_so(daemon: Daemon, repo: Repo, tmp_path: Path) -> None:
    git = SshGit(tmp_path / "home", daemon, options=["receive.maxInputSize=1000"])
    source = local(git, repo)
    noisy(source, 100_000)

    errors = git.refused("push", "origin", "main", at=source.path)

    assert "pack exceeds maximum allowed size" in errors
    assert (repo.references(), objects(repo.git_dir), incoming(repo)) == ({}, set(), [])


def test_a_repository_that_is_not_there_is_said_to_be_missing(git: SshGit, repo: Repo) -> None:
    source = local(git, repo)
    source.history(1, "refs/heads/main")

    errors = git.refused("push", git.url("nowhere.git"), "main", at=source.path)

    assert "remote: repository not found" in errors
    assert git.endings[-1]["code"] == "NOT_FOUND"
