"""Fsck (repository.md)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from gitaly_py.pb.repository_pb2 import FsckRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from tests.support.fixtures import NewRepo
from tests.support.repositories import Repo


async def errors(stub: RepositoryServiceStub, repo: Repo, *, repo_only: bool = False) -> bytes:
    return (await stub.Fsck(FsckRequest(repository=repo.message, repo_only=repo_only))).error


def lose(repo: Repo, oid: str) -> None:
    Path(repo.path, "objects", oid[:2], oid[2:]).unlink()


async def test_an_intact_repository_has_no_errors(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    assert await errors(repositories, any_format_repo) == b""

    any_format_repo.history(2, "refs/heads/main")
    any_format_repo.blob(b"dangling")
    any_format_repo.tag("v1", any_format_repo.git("rev-parse", "main"))

    assert await errors(repositories, any_format_repo) == b""


@pytest.mark.parametrize("reachable", [True, False])
async def test_a_broken_tree_is_named(
    repositories: RepositoryServiceStub, any_format_repo: Repo, reachable: bool
) -> None:
    blob = any_format_repo.blob(b"content")
    tree = any_format_repo.raw_tree([("100644", b"file", blob), ("100644", b"file", blob)])
    any_format_repo.commit(ref="refs/heads/main", tree=tree if reachable else None)

    expected = f"error in tree {tree}: duplicateEntries: contains duplicate file entries\n"
    assert await errors(repositories, any_format_repo) == expected.encode()


async def test_references_to_what_is_missing_are_named(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    oid = repo.commit(ref="refs/heads/main")
    lose(repo, oid)

    assert (
        await errors(repositories, repo)
        == (
            f"error: refs/heads/main: invalid sha1 pointer {oid}\n"
            f"error: HEAD: invalid sha1 pointer {oid}\n"
            "notice: No default references\n"
        ).encode()
    )


async def test_both_outputs_of_git_come_in_their_order(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    repo = any_format_repo
    blob = repo.blob(b"content")
    tree = repo.raw_tree([("100644", b"file", blob), ("100644", b"file", blob)])
    repo.commit(ref="refs/heads/main", tree=tree)
    lose(repo, blob)

    found = await errors(repositories, repo)

    line = ["git", "--git-dir", repo.path, "fsck", "--no-progress", "--no-dangling"]
    by_git = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert found == by_git.stdout
    assert f"missing blob {blob}\n".encode() in found
    assert f"error in tree {tree}".encode() in found


async def test_harmless_faults_of_old_histories_are_no_errors(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    tree = repo.raw_tree([("0100644", b"file", repo.blob(b"x"))])
    for line in (b"A <a@b> 1 +051800", b"A <a@b>1 +0000"):
        repo.object("commit", b"tree %s\nauthor %s\ncommitter %s\n\nold\n" % (tree.encode(), line, line))
    by_git = subprocess.run(["git", "--git-dir", repo.path, "fsck"], capture_output=True, check=False)
    assert by_git.returncode != 0
    for fault in (b"badTimezone", b"missingSpaceBeforeDate", b"zeroPaddedFilemode"):
        assert fault in by_git.stderr

    assert await errors(repositories, repo) == b""


async def test_the_repository_only_leaves_borrowed_packs_out(
    repositories: RepositoryServiceStub, new_repo: NewRepo
) -> None:
    pool, member = new_repo(), new_repo()
    blob = pool.blob(b"content")
    tree = pool.raw_tree([("100644", b"file", blob), ("100644", b"file", blob)])
    Path(member.path, "objects/info/alternates").write_text(pool.path + "/objects\n")
    pool.commit(ref="refs/heads/main", tree=tree)
    pool.git("repack", "-ad")

    assert f"error in tree {tree}".encode() in await errors(repositories, member)
    assert await errors(repositories, member, repo_only=True) == b""


async def test_what_git_takes_for_no_repository_is_an_error_in_the_answer(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    shutil.rmtree(Path(repo.path, "objects"))
    Path(repo.path, "objects").touch()

    assert await errors(repositories, repo) == f"fatal: not a git repository: '{repo.path}'\n".encode()
