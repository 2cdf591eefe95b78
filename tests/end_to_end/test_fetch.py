"""Fetches of a plain git client, through the gateway, from the daemon."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.support.fixtures import NewRepo
from tests.support.gateway import Gateway
from tests.support.plain_git import (
    PlainGit,
    assert_same,
    assert_whole,
    objects,
    reachable,
    references,
)
from tests.support.repositories import Repo
from tests.support.smarthttp import pack_references

HIDDEN = ("refs/keep-around/kept", "refs/remotes/origin/main", "refs/tmp/1")
READ_ONLY = ("refs/environments/prod", "refs/merge-requests/1/head", "refs/pipelines/1")


def filled(repo: Repo) -> Repo:
    """A few branches and tags, files in folders, and a merge."""
    first = repo.commit("first\n", {"README": b"hello\n", "dir/sub/file": b"one\n"})
    left = repo.commit("left\n", {"README": b"hello\n", "left": os.urandom(3000)}, [first])
    right = repo.commit("right\n", {"README": b"hello\n", "run.sh": ("100755", b"#!/bin/sh\n")}, [first])
    repo.commit("merge\n", {"README": b"merged\n"}, [left, right], ref="refs/heads/main")
    repo.ref("refs/heads/left", left)
    repo.ref("refs/heads/feature/ünïcode", right)
    repo.tag("v1.0", first)
    repo.tag("light", left, None)
    repo.tag("blob", repo.blob(b"tagged content"), kind="blob")
    return repo


def test_a_clone_has_every_branch_and_tag(git: PlainGit, gateway: Gateway, any_format_repo: Repo) -> None:
    repo = filled(any_format_repo)

    git("clone", "--quiet", gateway.url(repo.message.relative_path), "clone")

    clone = git.home / "clone"
    assert (clone / "README").read_text() == "merged\n"
    remote = [
        line.replace("refs/remotes/origin/", "refs/heads/")
        for line in references(clone / ".git", "refs/remotes")
    ]
    assert sorted(line for line in remote if not line.endswith("HEAD")) == sorted(
        references(repo.git_dir, "refs/heads")
    )
    assert references(clone / ".git", "refs/tags") == references(repo.git_dir, "refs/tags")
    assert objects(clone / ".git") == objects(repo.git_dir)
    assert git("symbolic-ref", "HEAD", at=clone) == "refs/heads/main\n"
    assert_whole(clone / ".git")


def test_a_mirror_is_equal_in_every_reference_and_object(
    git: PlainGit, gateway: Gateway, any_format_repo: Repo
) -> None:
    repo = filled(any_format_repo)
    for name in READ_ONLY:
        repo.ref(name, repo.git("rev-parse", "main"))

    git("clone", "--quiet", "--mirror", gateway.url(repo.message.relative_path), "mirror")

    assert_same(git.home / "mirror", repo.git_dir)


def test_hidden_references_are_not_advertised(git: PlainGit, gateway: Gateway, repo: Repo) -> None:
    oid = repo.commit(files={"a": b"a"}, ref="refs/heads/main")
    for name in HIDDEN + READ_ONLY:
        repo.ref(name, oid)

    listed = git("ls-remote", gateway.url(repo.message.relative_path))

    assert sorted(line.split("\t")[1] for line in listed.splitlines()) == sorted(
        ("HEAD", "refs/heads/main", *READ_ONLY)
    )


def test_a_shallow_clone_has_the_newest_commits_and_can_be_completed(
    git: PlainGit, gateway: Gateway, repo: Repo
) -> None:
    commits = repo.history(10, "refs/heads/main")
    url = gateway.url(repo.message.relative_path)

    git("clone", "--quiet", "--depth=3", url, "clone")
    shallow = git("log", "--format=%H", at=git.home / "clone").split()
    git("fetch", "--quiet", "--unshallow", at=git.home / "clone")

    assert shallow == commits[:-4:-1]
    assert reachable(git.home / "clone/.git", "refs/heads") == reachable(repo.git_dir, "refs/heads")
    assert_whole(git.home / "clone/.git")


def test_a_shallow_clone_may_be_bounded_by_time_and_by_reference(
    git: PlainGit, gateway: Gateway, repo: Repo
) -> None:
    commits = [repo.commit(f"{n}\n", {"file": b"%d" % n}, time=1_600_000_000 + n) for n in range(1)]
    for n in range(1, 6):
        commits.append(
            repo.commit(f"{n}\n", {"file": b"%d" % n}, commits[-1:], time=1_600_000_000 + n * 1000)
        )
    repo.ref("refs/heads/main", commits[-1])
    repo.ref("refs/heads/old", commits[3])
    url = gateway.url(repo.message.relative_path)

    git("clone", "--quiet", "--single-branch", "--shallow-since=1600002500", url, "since")
    git("clone", "--quiet", "--single-branch", "--shallow-exclude=old", url, "without")

    assert git("log", "--format=%H", at=git.home / "since").split() == commits[:2:-1]
    assert git("log", "--format=%H", at=git.home / "without").split() == commits[:3:-1]


def test_a_blobless_clone_gets_its_blobs_when_it_needs_them(
    git: PlainGit, gateway: Gateway, repo: Repo
) -> None:
    commits = repo.history(5, "refs/heads/main")
    url = gateway.url(repo.message.relative_path)

    git("clone", "--quiet", "--no-checkout", "--filter=blob:none", url, "clone")
    kinds = {line.split()[1] for line in objects(git.home / "clone/.git")}
    content = git("cat-file", "blob", f"{commits[1]}:file", at=git.home / "clone")

    assert kinds == {"commit", "tree"}
    assert content == "1\n"


def test_new_commits_are_fetched_and_gone_branches_pruned(
    git: PlainGit, gateway: Gateway, repo: Repo
) -> None:
    commits = repo.history(3, "refs/heads/main")
    repo.ref("refs/heads/gone", commits[0])
    git("clone", "--quiet", "--mirror", gateway.url(repo.message.relative_path), "mirror")
    mirror = git.home / "mirror"

    for number in range(20):
        newer = repo.commit(f"newer {number}\n", {"file": os.urandom(100)}, [repo.git("rev-parse", "main")])
        repo.ref("refs/heads/main", newer)
    repo.git("update-ref", "-d", "refs/heads/gone")
    repo.tag("v2", newer)
    git("fetch", "--quiet", "--prune", at=mirror)

    assert_same(mirror, repo.git_dir)


def test_histories_that_have_diverged_are_negotiated(git: PlainGit, gateway: Gateway, repo: Repo) -> None:
    base = repo.history(200, "refs/heads/main")
    git("clone", "--quiet", gateway.url(repo.message.relative_path), "clone")
    clone = Repo(git.home / "clone", repo.format, bare=False)
    mine = base[-1]
    for number in range(300):
        mine = clone.commit(f"mine {number}\n", None, [mine])
    clone.ref("refs/heads/mine", mine)
    theirs = repo.commit("theirs\n", {"file": b"theirs\n"}, base[-1:], ref="refs/heads/main")

    git("fetch", "--quiet", at=git.home / "clone")

    assert git("rev-parse", "origin/main", at=git.home / "clone").strip() == theirs


def test_an_empty_repository_can_be_cloned(git: PlainGit, gateway: Gateway, any_format_repo: Repo) -> None:
    finished = git.run("clone", gateway.url(any_format_repo.message.relative_path), "clone")

    assert finished.status == 0
    assert "You appear to have cloned an empty repository" in finished.stderr
    assert references(git.home / "clone/.git") == []


def test_a_repository_with_alternates_gives_all_its_objects(
    git: PlainGit, gateway: Gateway, new_repo: NewRepo
) -> None:
    pool, fork = filled(new_repo()), new_repo()
    path = os.path.relpath(Path(pool.git_dir, "objects"), Path(fork.git_dir, "objects"))
    Path(fork.git_dir, "objects/info").mkdir(exist_ok=True)
    Path(fork.git_dir, "objects/info/alternates").write_text(f"{path}\n")
    fork.commit("fork\n", {"own": b"own\n"}, [pool.git("rev-parse", "main")], ref="refs/heads/main")

    git("clone", "--quiet", "--mirror", gateway.url(fork.message.relative_path), "mirror")

    assert references(git.home / "mirror") == references(fork.git_dir)
    assert objects(git.home / "mirror") == reachable(fork.git_dir)
    assert_whole(git.home / "mirror")


def test_any_object_may_be_wanted(git: PlainGit, gateway: Gateway, repo: Repo) -> None:
    repo.history(3, "refs/heads/main")
    unreachable = repo.commit("in no branch\n", {"secret": b"s"})
    git("init", "--quiet", "clone")

    git("fetch", "--quiet", gateway.url(repo.message.relative_path), unreachable, at=git.home / "clone")

    assert git("rev-parse", "FETCH_HEAD", at=git.home / "clone").strip() == unreachable


def test_an_object_that_is_not_there_is_refused_in_git_words(
    git: PlainGit, gateway: Gateway, repo: Repo
) -> None:
    repo.history(1, "refs/heads/main")
    git("init", "--quiet", "clone")
    absent = "1" * 40

    errors = git.refused("fetch", gateway.url(repo.message.relative_path), absent, at=git.home / "clone")

    assert f"fatal: remote error: upload-pack: not our ref {absent}" in errors


def test_thousands_of_references_are_fetched_at_once(git: PlainGit, gateway: Gateway, repo: Repo) -> None:
    commits = repo.history(50, "refs/heads/main")
    pack_references(repo, {f"refs/heads/b/{n}": commits[n % 50] for n in range(4200)})

    git("clone", "--quiet", "--mirror", gateway.url(repo.message.relative_path), "mirror")

    assert len(references(git.home / "mirror", "refs/heads/b")) == 4200
    assert_same(git.home / "mirror", repo.git_dir)


def test_a_pack_of_many_megabytes_arrives_whole(git: PlainGit, gateway: Gateway, repo: Repo) -> None:
    files: dict[str | bytes, bytes] = {f"{n}.bin": os.urandom(1 << 20) for n in range(8)}
    repo.commit("big\n", dict(files), ref="refs/heads/main")

    git("clone", "--quiet", "--mirror", gateway.url(repo.message.relative_path), "mirror")

    assert_same(git.home / "mirror", repo.git_dir)


def test_a_damaged_repository_fails_the_clone(git: PlainGit, gateway: Gateway, repo: Repo) -> None:
    blob = repo.blob(b"lost")
    repo.commit("damaged\n", {"file": ("100644", blob)}, ref="refs/heads/main")
    Path(repo.git_dir, "objects", blob[:2], blob[2:]).unlink()

    errors = git.refused("clone", gateway.url(repo.message.relative_path), "clone")

    assert "fatal" in errors
    assert not (git.home / "clone").exists()


@pytest.mark.parametrize("suffix", ["", ".git"])
def test_the_suffix_of_a_path_may_be_left_out(
    git: PlainGit, gateway: Gateway, repo: Repo, suffix: str
) -> None:
    oid = repo.history(1, "refs/heads/main")[0]
    url = gateway.url(repo.message.relative_path.removesuffix(".git") + suffix)

    assert git("ls-remote", url, "main") == f"{oid}\trefs/heads/main\n"


def test_a_repository_that_is_not_there_is_not_found(git: PlainGit, gateway: Gateway) -> None:
    errors = git.refused("clone", gateway.url("nowhere.git"), "clone")

    assert f"repository 'http://127.0.0.1:{gateway.port}/nowhere.git/' not found" in errors


def test_a_removed_repository_is_not_found(git: PlainGit, gateway: Gateway, repo: Repo) -> None:
    repo.history(1, "refs/heads/main")
    url = gateway.url(repo.message.relative_path)
    git("ls-remote", url)
    shutil.rmtree(repo.path)

    assert "not found" in git.refused("ls-remote", url)
