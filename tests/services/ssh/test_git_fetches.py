"""`git clone`, `fetch` and `ls-remote` of `ssh://` URLs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import Daemon
from tests.support.fixtures import NewRepo
from tests.support.plain_git import assert_same, assert_whole, objects, references
from tests.support.repositories import Repo
from tests.support.smarthttp import noisy, pack_references
from tests.support.ssh import SshGit

WAYS: dict[str, Any] = {
    "sidechannel-v0": {"streaming": False, "protocol": 0},
    "sidechannel-v1": {"streaming": False, "protocol": 1},
    "sidechannel-v2": {"streaming": False, "protocol": 2},
    "streaming-v0": {"streaming": True, "protocol": 0},
    "streaming-v2": {"streaming": True, "protocol": 2},
}


@pytest.fixture(params=["sidechannel-v0", "sidechannel-v2", "streaming-v2"])
def git(request: pytest.FixtureRequest, daemon: Daemon, tmp_path: Path) -> SshGit:
    return SshGit(tmp_path / "home", daemon, **WAYS[request.param])


def url(git: SshGit, repo: Repo) -> str:
    return git.url(repo.message.relative_path)


def ended_well(git: SshGit) -> bool:
    return bool(git.endings) and {ending["code"] for ending in git.endings} == {"OK"}


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
@pytest.mark.parametrize("way", WAYS)
def test_a_mirror_has_everything(
    daemon: Daemon, new_repo: NewRepo, tmp_path: Path, way: str, object_format: str
) -> None:
    git = SshGit(tmp_path / "home", daemon, **WAYS[way])
    repo = new_repo(object_format=object_format)
    commits = repo.history(30, "refs/heads/main")
    repo.ref("refs/heads/feature/ünïcode", commits[12])
    repo.tag("v1", commits[5])
    repo.tag("light", commits[6], None)
    repo.commit("merge\n", {"m": b"m"}, [commits[3], commits[29]], ref="refs/heads/merged")

    git("clone", "--quiet", "--mirror", url(git, repo), "clone")

    assert_same(repo.git_dir, git.home / "clone")
    assert ended_well(git)


def test_a_fetch_brings_what_is_new_and_drops_what_is_gone(git: SshGit, repo: Repo) -> None:
    commits = repo.history(10, "refs/heads/main")
    repo.ref("refs/heads/gone", commits[4])
    git("clone", "--quiet", "--mirror", url(git, repo), "clone")
    repo.commit("new\n", {"new": b"n"}, commits[-1:], ref="refs/heads/main")
    repo.tag("v2", commits[8])
    repo.git("update-ref", "-d", "refs/heads/gone")

    git("fetch", "--quiet", "--prune", at=git.home / "clone")

    assert_same(repo.git_dir, git.home / "clone")
    assert ended_well(git)


def test_a_shallow_clone_is_deepened_and_completed(git: SshGit, repo: Repo) -> None:
    commits = repo.history(20, "refs/heads/main")
    clone = git.home / "clone"

    git("clone", "--quiet", "--bare", "--depth=3", url(git, repo), "clone")
    shallow = git("rev-list", "main", at=clone).split()
    git("fetch", "--quiet", "--deepen=4", "origin", "main", at=clone)
    deepened = git("rev-list", "FETCH_HEAD", at=clone).split()
    git("fetch", "--quiet", "--unshallow", "origin", "main", at=clone)

    assert (shallow, deepened) == (commits[:-4:-1], commits[:-8:-1])
    assert objects(clone) == objects(repo.git_dir)
    assert ended_well(git)
    assert_whole(clone)


def test_a_partial_clone_fetches_what_it_misses_when_it_needs_it(git: SshGit, repo: Repo) -> None:
    repo.history(5, "refs/heads/main")
    repo.commit("big\n", {"big": b"b" * 50_000, "small": b"s"}, ref="refs/heads/other")

    git("clone", "--quiet", "--no-checkout", "--filter=blob:none", url(git, repo), "clone")
    before = objects(git.home / "clone/.git")
    git("checkout", "--quiet", "origin/other", at=git.home / "clone")

    assert not [line for line in before if " blob " in line]
    assert (git.home / "clone/big").read_bytes() == b"b" * 50_000
    assert ended_well(git)


def test_references_are_listed(git: SshGit, repo: Repo) -> None:
    commits = repo.history(3, "refs/heads/main")
    repo.tag("v1", commits[0])
    repo.ref("refs/merge-requests/1/head", commits[1])
    repo.ref("refs/keep-around/1", commits[2])

    listed = git("ls-remote", url(git, repo)).splitlines()

    assert [line.split("\t")[1] for line in listed] == [
        "HEAD",
        "refs/heads/main",
        "refs/merge-requests/1/head",
        "refs/tags/v1",
        "refs/tags/v1^{}",
    ]
    assert ended_well(git)


def test_an_empty_repository_can_be_cloned(git: SshGit, any_format_repo: Repo) -> None:
    git("clone", "--quiet", url(git, any_format_repo), "clone")

    assert references(git.home / "clone/.git") == []
    assert ended_well(git)


def test_any_object_may_be_fetched_by_its_id(git: SshGit, repo: Repo) -> None:
    repo.history(1, "refs/heads/main")
    hidden = repo.commit("hidden\n", {"h": b"h"})
    target = Repo.init(git.home / "target")

    git("fetch", "--quiet", url(git, repo), f"{hidden}:refs/heads/found", at=target.path)

    assert target.references() == {b"refs/heads/found": hidden}


def test_a_repository_that_is_not_there_is_said_to_be_missing(git: SshGit) -> None:
    errors = git.refused("clone", git.url("nowhere.git"), "clone")

    assert "remote: repository not found" in errors
    assert [ending["code"] for ending in git.endings] == ["NOT_FOUND"]
    assert not (git.home / "clone").exists()


@pytest.fixture
def newest(daemon: Daemon, tmp_path: Path) -> SshGit:
    """What a client is today: protocol version 2 over a side channel."""
    return SshGit(tmp_path / "home", daemon)


def test_a_large_repository_arrives_whole(newest: SshGit, repo: Repo) -> None:
    noisy(repo, 30_000_000)

    newest("clone", "--quiet", "--mirror", url(newest, repo), "clone")

    assert_same(repo.git_dir, newest.home / "clone")


def test_thousands_of_references_arrive(newest: SshGit, repo: Repo) -> None:
    commits = repo.history(20)
    pack_references(repo, {f"refs/heads/b/{n:05}": commits[n % 20] for n in range(5000)})

    newest("clone", "--quiet", "--mirror", url(newest, repo), "clone")

    assert references(newest.home / "clone") == references(repo.git_dir)


def test_a_fork_is_cloned_with_what_it_borrows(newest: SshGit, new_repo: NewRepo) -> None:
    pool, fork = new_repo(), new_repo()
    commits = pool.history(10, "refs/heads/main")
    Path(fork.git_dir, "objects/info").mkdir(exist_ok=True)
    Path(fork.git_dir, "objects/info/alternates").write_text(f"{pool.git_dir}/objects\n")
    fork.ref("refs/heads/main", commits[-1])

    newest("clone", "--quiet", "--mirror", url(newest, fork), "clone")

    assert objects(newest.home / "clone") == objects(pool.git_dir)
    assert_whole(newest.home / "clone")


def test_haves_keep_a_fetch_small(newest: SshGit, repo: Repo) -> None:
    noisy(repo, 1_000_000)
    newest("clone", "--quiet", "--mirror", url(newest, repo), "clone")
    tip = repo.references()[b"refs/heads/main"]
    new = repo.commit("new\n", {"new": b"n"}, [tip], ref="refs/heads/main")

    newest("fetch", "--quiet", at=newest.home / "clone")

    counted = newest.endings[-1]["statistics"]
    assert (counted["wants"], int(counted["haves"]) >= 1) == ("1", True)
    assert references(newest.home / "clone") == [f"{new} refs/heads/main"]


def test_progress_reaches_the_terminal(newest: SshGit, repo: Repo) -> None:
    repo.history(30, "refs/heads/main")

    finished = newest.run("clone", "--progress", url(newest, repo), "clone")

    assert "remote: Enumerating objects: 90, done." in finished.stderr
    assert "Receiving objects: 100% (90/90)" in finished.stderr


def test_options_of_the_call_reach_git(daemon: Daemon, repo: Repo, tmp_path: Path) -> None:
    git = SshGit(tmp_path / "home", daemon, options=["transfer.hideRefs=refs/heads/secret"])
    commits = repo.history(2, "refs/heads/main")
    repo.ref("refs/heads/secret", commits[0])

    listed = git("ls-remote", "--heads", url(git, repo))

    assert listed.splitlines() == [f"{commits[1]}\trefs/heads/main"]


@pytest.mark.parametrize("streaming", [False, True], ids=["sidechannel", "streaming"])
def test_what_git_complains_of_reaches_the_user(
    daemon: Daemon, repo: Repo, tmp_path: Path, streaming: bool
) -> None:
    git = SshGit(tmp_path / "home", daemon, streaming=streaming)
    repo.history(3, "refs/heads/main")
    shutil.rmtree(Path(repo.git_dir, "objects"))
    Path(repo.git_dir, "objects").mkdir()

    errors = git.refused("clone", url(git, repo), "clone")

    assert git.endings[-1]["exit_status"] == (128 if streaming else None)
    assert git.endings[-1]["code"] == "INTERNAL"
    complaint = git.endings[-1]["details"].partition('stderr: "')[2].removesuffix('\\n"')
    assert complaint.startswith("fatal: ")
    assert complaint.split("\\n")[0] in errors
