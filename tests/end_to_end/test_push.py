"""Pushes of a plain git client, through the gateway, to the daemon."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.support.fixtures import NewRepo
from tests.support.gateway import Gateway
from tests.support.plain_git import (
    PlainGit,
    assert_same,
    assert_whole,
    incoming,
    objects,
    reachable,
    references,
)
from tests.support.pushes import install
from tests.support.repositories import EPOCH, Repo
from tests.support.smarthttp import stored_blob

HIDDEN = (
    "refs/environments/prod",
    "refs/keep-around/kept",
    "refs/merge-requests/1/head",
    "refs/pipelines/1",
    "refs/remotes/origin/main",
    "refs/tmp/1",
)
ZERO = "0" * 40


def local(git: PlainGit, gateway: Gateway, repo: Repo) -> Repo:
    """A repository to push from, whose `origin` is `repo`; it keeps no remote-tracking references."""
    source = Repo.init(git.home / "local", repo.format.name)
    source.git("config", "remote.origin.url", gateway.url(repo.message.relative_path))
    return source


def remote_lines(errors: str) -> list[str]:
    """What the server's side wrote."""
    return [line.strip() for line in re.findall(r"^remote: ?(.*)$", errors, re.MULTILINE)]


@pytest.fixture
def source(git: PlainGit, gateway: Gateway, any_format_repo: Repo) -> Repo:
    return local(git, gateway, any_format_repo)


def test_a_first_push_brings_branches_and_tags(git: PlainGit, source: Repo, any_format_repo: Repo) -> None:
    commits = source.history(5, "refs/heads/main")
    source.ref("refs/heads/feature/ünïcode", commits[2])
    source.tag("v1", commits[1])
    source.tag("light", commits[0], None)

    git("push", "--quiet", "--mirror", "origin", at=source.path)

    assert_same(any_format_repo.git_dir, source.git_dir)
    assert incoming(any_format_repo) == []


def test_branches_are_moved_forced_and_deleted(git: PlainGit, source: Repo, any_format_repo: Repo) -> None:
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


def test_a_nested_tag_is_pushed_with_all_it_names(git: PlainGit, source: Repo, any_format_repo: Repo) -> None:
    oid = source.commit("tagged\n", {"a": b"a"})
    nested = source.tag("outer", source.tag("inner", oid), kind="tag")

    git("push", "--quiet", "origin", "refs/tags/outer", at=source.path)

    assert any_format_repo.references() == {b"refs/tags/outer": nested}
    assert_whole(any_format_repo.git_dir)


def test_a_push_that_changes_nothing_is_fine(git: PlainGit, source: Repo) -> None:
    source.history(1, "refs/heads/main")
    git("push", "--quiet", "origin", "main", at=source.path)

    finished = git.run("push", "origin", "main", at=source.path)

    assert (finished.status, finished.stderr) == (0, "Everything up-to-date\n")


def test_thousands_of_references_are_pushed_at_once(gateway: Gateway, repo: Repo, tmp_path: Path) -> None:
    git = PlainGit(tmp_path / "home")
    source = local(git, gateway, repo)
    commits = source.history(20)
    source.git(
        "update-ref",
        "--stdin",
        stdin="".join(f"create refs/heads/b/{n} {commits[n % 20]}\n" for n in range(2000)),
    )

    git("push", "--quiet", "origin", "refs/heads/*", at=source.path)

    assert len(references(repo.git_dir)) == 2000
    assert references(repo.git_dir) == references(source.git_dir)


def test_a_body_sent_in_chunks_arrives_whole(git: PlainGit, gateway: Gateway, repo: Repo) -> None:
    source = local(git, gateway, repo)
    source.commit("big\n", {f"{n}.bin": os.urandom(700_000) for n in range(4)}, ref="refs/heads/main")

    git("-c", "http.postBuffer=65536", "push", "--quiet", "origin", "main", at=source.path)

    assert_same(repo.git_dir, source.git_dir)


def test_a_failed_reference_of_an_atomic_push_fails_all(git: PlainGit, gateway: Gateway, repo: Repo) -> None:
    source = local(git, gateway, repo)
    source.history(1, "refs/heads/main")

    errors = git.refused("push", "--atomic", "origin", "main", "main:refs/heads/main/below", at=source.path)

    assert "atomic transaction failed" in errors or "failed to update ref" in errors
    assert references(repo.git_dir) == []


@pytest.mark.parametrize("name", HIDDEN)
def test_a_hidden_reference_cannot_be_pushed(
    gateway: Gateway, new_repo: NewRepo, tmp_path: Path, name: str
) -> None:
    git = PlainGit(tmp_path / "home")
    repo = new_repo()
    source = local(git, gateway, repo)
    source.history(1, "refs/heads/main")

    errors = git.refused("push", "origin", f"main:{name}", at=source.path)

    assert "deny updating a hidden ref" in errors
    assert references(repo.git_dir) == []


def test_a_tree_with_an_entry_twice_is_refused(git: PlainGit, gateway: Gateway, repo: Repo) -> None:
    source = local(git, gateway, repo)
    blob = source.blob(b"a")
    tree = source.raw_tree([("100644", b"a", blob), ("100644", b"a", blob)])
    source.commit("twice\n", tree=tree, ref="refs/heads/main")

    errors = git.refused("push", "origin", "main", at=source.path)

    assert any("duplicateEntries" in line for line in remote_lines(errors))
    assert objects(repo.git_dir) == set()
    assert incoming(repo) == []


def test_faults_of_old_repositories_are_let_through(git: PlainGit, gateway: Gateway, repo: Repo) -> None:
    source = local(git, gateway, repo)
    folder = source.raw_tree([("100644", b"a", source.blob(b"a"))])
    padded = source.raw_tree([("040000", b"folder", folder)])
    identity = b"A U Thor <a@example.com> %d +051800" % EPOCH
    source.ref(
        "refs/heads/main",
        source.object(
            "commit", b"tree %s\nauthor %s\ncommitter %s\n\nold\n" % (padded.encode(), identity, identity)
        ),
    )

    git("push", "--quiet", "origin", "main", at=source.path)

    assert references(repo.git_dir) == references(source.git_dir)


def test_a_custom_hook_sees_the_push_and_may_refuse_it(git: PlainGit, gateway: Gateway, repo: Repo) -> None:
    source = local(git, gateway, repo)
    oid = source.history(1, "refs/heads/main")[0]
    script = 'read old new ref; echo "$old $new $ref $GL_ID $GL_PROTOCOL $GL_PROJECT_PATH"; '
    script += 'echo "$GIT_PUSH_OPTION_COUNT $GIT_PUSH_OPTION_0"; git cat-file -t $new >&2; exit 3'
    install(Path(repo.path, "custom_hooks/pre-receive"), script)

    errors = git.refused("push", "--push-option=ci.skip", "origin", "main", at=source.path)

    project = repo.message.relative_path.removesuffix(".git")
    assert sorted(remote_lines(errors)) == sorted(
        [f"{ZERO} {oid} refs/heads/main username-rosa http {project}", "1 ci.skip", "commit"]
    )
    assert "(pre-receive hook declined)" in errors
    assert (references(repo.git_dir), objects(repo.git_dir), incoming(repo)) == ([], set(), [])


def test_what_a_post_receive_hook_prints_reaches_the_user(
    git: PlainGit, gateway: Gateway, repo: Repo
) -> None:
    source = local(git, gateway, repo)
    source.history(1, "refs/heads/main")
    install(Path(repo.path, "custom_hooks/post-receive"), "echo all well")

    finished = git.run("push", "origin", "main", at=source.path)

    assert (finished.status, remote_lines(finished.stderr)) == (0, ["all well"])


def test_a_push_makes_the_repository_where_that_is_allowed(
    git: PlainGit, gateway: Gateway, daemon: Daemon, repo: Repo
) -> None:
    source = local(git, gateway, repo)
    source.history(2, "refs/heads/main")
    path = f"new/{os.path.basename(repo.path)}-{git.home.parent.name}.git"

    git("push", "--quiet", gateway.url(path), "main", at=source.path)

    assert_same(daemon.storage / path, source.git_dir)
    assert PlainGit(git.home)("symbolic-ref", "HEAD", at=daemon.storage / path) == "refs/heads/main\n"


def test_no_repository_is_made_inside_another(gateway: Gateway, repo: Repo, tmp_path: Path) -> None:
    git = PlainGit(tmp_path / "home")
    source = local(git, gateway, repo)
    source.history(1, "refs/heads/main")

    errors = git.refused(
        "push", gateway.url(f"{repo.message.relative_path}/objects/x.git"), "main", at=source.path
    )

    assert "not found" in errors
    assert not Path(repo.path, "objects/x.git").exists()


def test_who_may_only_read_makes_no_repository(git: PlainGit, gateway: Gateway, daemon: Daemon) -> None:
    source = Repo.init(git.home / "local")
    source.history(1, "refs/heads/main")

    errors = git.refused("push", gateway.url("new/refused.git", user="reader"), "main", at=source.path)

    assert "403" in errors
    assert not (daemon.storage / "new/refused.git").exists()


def test_of_two_pushes_to_a_branch_at_once_one_wins(gateway: Gateway, repo: Repo, tmp_path: Path) -> None:
    git = PlainGit(tmp_path / "home")
    source = local(git, gateway, repo)
    base = source.history(1, "refs/heads/main")
    git("push", "--quiet", "origin", "main", at=source.path)
    mine = [
        source.commit(f"mine {n}\n", {"f": b"%d" % n}, base, ref=f"refs/heads/mine-{n}") for n in range(4)
    ]
    install(Path(repo.path, "custom_hooks/pre-receive"), "sleep 0.5")

    running = [
        subprocess.Popen(
            git.line("push", "--quiet", "origin", f"mine-{n}:main"),
            cwd=source.path,
            env=git.environment,
            stderr=subprocess.DEVNULL,
        )
        for n in range(4)
    ]
    statuses = [process.wait(60) for process in running]

    assert statuses.count(0) == 1
    assert repo.git("rev-parse", "main") == mine[statuses.index(0)]
    assert_whole(repo.git_dir)


@pytest.fixture
def large(gateway: Gateway, repo: Repo, tmp_path: Path) -> Iterator[tuple[PlainGit, Repo]]:
    git = PlainGit(tmp_path / "home", ["core.compression=0", "core.bigFileThreshold=1m"])
    source = local(git, gateway, repo)
    yield git, source
    shutil.rmtree(source.path)  # temporary folders are kept for a while, and this one is large
    shutil.rmtree(repo.path)


def test_two_hundred_megabytes_arrive_whole(large: tuple[PlainGit, Repo], repo: Repo) -> None:
    git, source = large
    noise = os.urandom(20_000_000)
    files = {str(number): ("100644", stored_blob(source, b"%d" % number + noise)) for number in range(10)}
    source.commit("big\n", files, ref="refs/heads/main")

    git("push", "--quiet", "origin", "main", at=source.path)

    assert references(repo.git_dir) == references(source.git_dir)
    assert objects(repo.git_dir) == objects(source.git_dir)
