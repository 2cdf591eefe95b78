"""RefService/ListBranchNamesContainingCommit and ListTagNamesContainingCommit (ref-blob.md 5.11)."""

from __future__ import annotations

from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.ref_pb2 import (
    ListBranchNamesContainingCommitRequest,
    ListTagNamesContainingCommitRequest,
)
from gitaly_py.pb.ref_pb2_grpc import RefServiceStub
from tests.support.daemon import Daemon
from tests.support.references import write
from tests.support.repositories import EPOCH, Repo
from tests.support.status import collect, refused

KINDS = ["branches", "tags"]
kinds = pytest.mark.parametrize("kind", KINDS)


async def names(daemon: Daemon, repo: Repo, kind: str, commit_id: str, limit: int = 0) -> list[bytes]:
    stub: Any = daemon.stub(RefServiceStub)
    fields: Any = {"repository": repo.message, "commit_id": commit_id, "limit": limit}
    if kind == "branches":
        responses = await collect(
            stub.ListBranchNamesContainingCommit(ListBranchNamesContainingCommitRequest(**fields))
        )
        found = [list(response.branch_names) for response in responses]
    else:
        responses = await collect(
            stub.ListTagNamesContainingCommit(ListTagNamesContainingCommitRequest(**fields))
        )
        found = [list(response.tag_names) for response in responses]
    assert all(found)
    return [name for some in found for name in some]


def by_git(repo: Repo, kind: str, commit_id: str) -> list[bytes]:
    prefix = {"branches": "refs/heads", "tags": "refs/tags"}[kind]
    flags = [f"--contains={commit_id}", "--format=%(refname:lstrip=2)"]
    return repo.git_bytes("for-each-ref", *flags, prefix).splitlines()


def grown(repo: Repo) -> dict[str, str]:
    """A history with a merge, a side branch, two roots and dates that go backwards, and refs to all of it."""
    root = repo.commit("root\n", {}, time=EPOCH)
    left = repo.commit("left\n", {}, [root], time=EPOCH + 50)
    right = repo.commit("right\n", {}, [root], time=EPOCH - 50)
    merge = repo.commit("merge\n", {}, [left, right], time=EPOCH + 10)
    other = repo.commit("other root\n", {}, time=EPOCH + 20)
    octopus = repo.commit("octopus\n", {}, [merge, other, right], time=EPOCH - 90)
    alone = repo.commit("alone\n", {}, time=EPOCH + 99)
    unreferenced = repo.commit("unreferenced\n", {}, [merge])
    commits = {
        "root": root, "left": left, "right": right, "merge": merge, "other": other, "octopus": octopus,
        "alone": alone, "unreferenced": unreferenced,
    }  # fmt: skip
    for name in ("root", "left", "merge", "octopus", "alone"):
        repo.ref(f"refs/heads/{name}", commits[name])
        repo.tag(f"light/{name}", commits[name], None)
        repo.tag(f"annotated/{name}", commits[name])
    repo.ref(b"refs/heads/not-utf8-\xff", left)
    repo.ref(b"refs/tags/not-utf8-\xff", left)
    repo.tag("nested", repo.tag("inner", right), kind="tag")
    repo.tag("blob", repo.blob(b"x"), None)
    repo.tag("tree", repo.tree({}), kind="tree")
    repo.git("pack-refs", "--all")
    repo.ref("refs/heads/loose", right)
    repo.tag("loose", right)
    repo.symref("refs/heads/symbolic", "refs/heads/left")
    repo.ref("refs/keep-around/x", unreferenced)
    return commits


def and_many_more(repo: Repo, commits: dict[str, str]) -> None:
    """Adds so many references that they are looked at all together."""
    for number, commit in enumerate([commits["right"], commits["alone"]] * 10):
        repo.ref(f"refs/heads/more/{number:02}", commit)
        repo.tag(f"more/{number:02}", commit)


@kinds
async def test_the_names_are_those_git_finds(daemon: Daemon, any_format_repo: Repo, kind: str) -> None:
    repo = any_format_repo
    commits = grown(repo)

    for step in ("few", "many"):
        for name, commit in commits.items():
            found = await names(daemon, repo, kind, commit)
            assert found == by_git(repo, kind, commit), (step, name)
            assert bool(found) == (name != "unreferenced")
        and_many_more(repo, commits)


@kinds
async def test_the_limit_keeps_the_first_names(daemon: Daemon, any_format_repo: Repo, kind: str) -> None:
    root = grown(any_format_repo)["root"]
    everything = by_git(any_format_repo, kind, root)

    for limit in (1, 3, len(everything), len(everything) + 1):
        assert await names(daemon, any_format_repo, kind, root, limit) == everything[:limit]


@kinds
async def test_the_id_of_a_tag_stands_for_its_commit(
    daemon: Daemon, any_format_repo: Repo, kind: str
) -> None:
    commits = grown(any_format_repo)
    tag = any_format_repo.git("rev-parse", "refs/tags/nested")

    assert await names(daemon, any_format_repo, kind, tag) == by_git(any_format_repo, kind, tag)
    and_many_more(any_format_repo, commits)
    assert await names(daemon, any_format_repo, kind, tag) == by_git(any_format_repo, kind, tag)


@kinds
async def test_a_reference_named_like_a_commit_does_not_confuse(
    daemon: Daemon, any_format_repo: Repo, kind: str
) -> None:
    repo = any_format_repo
    first, second = repo.history(2)
    prefix = {"branches": "refs/heads", "tags": "refs/tags"}[kind]
    repo.ref(f"{prefix}/{second}", first)

    assert await names(daemon, repo, kind, first) == [second.encode()]
    assert await names(daemon, repo, kind, second) == []


@kinds
async def test_thousands_of_names_arrive(daemon: Daemon, repo: Repo, kind: str) -> None:
    first, second = repo.history(2)
    prefix = {"branches": "refs/heads", "tags": "refs/tags"}[kind]
    lines = [f"{(first, second)[number % 2]} {prefix}/{number:04}\n" for number in range(5000)]
    write(repo, "packed-refs", "# pack-refs with: peeled fully-peeled sorted \n" + "".join(lines))

    assert await names(daemon, repo, kind, first) == [b"%04d" % number for number in range(5000)]
    assert await names(daemon, repo, kind, second) == [b"%04d" % number for number in range(1, 5000, 2)]
    assert len(await names(daemon, repo, kind, second, 2000)) == 2000


@kinds
async def test_bad_ids_are_refused(daemon: Daemon, any_format_repo: Repo, kind: str) -> None:
    length = any_format_repo.format.hex_length
    other = "1" * (104 - length)
    for commit_id, text in (
        ("", f"expected length {length}, got 0"),
        ("HEAD", f"expected length {length}, got 4"),
        (other, f"expected length {length}, got {len(other)}"),
        ("G" * length, "invalid character 'G'"),
        ("A" * length, "invalid character 'A'"),
    ):
        async with refused(StatusCode.INVALID_ARGUMENT, f'invalid object ID: "{commit_id}", {text}'):
            await names(daemon, any_format_repo, kind, commit_id)


@kinds
async def test_what_is_no_commit_is_an_error(daemon: Daemon, any_format_repo: Repo, kind: str) -> None:
    repo = any_format_repo
    repo.commit(ref="refs/heads/main")

    for commit_id in ("1" * repo.format.hex_length, repo.blob(b"x"), repo.tree({"a": b"x"})):
        async with refused(StatusCode.INTERNAL, "exit status 129"):
            await names(daemon, repo, kind, commit_id)


@kinds
@pytest.mark.parametrize("others", [0, 20], ids=["few", "many"])
async def test_broken_references_are_left_out(daemon: Daemon, repo: Repo, kind: str, others: int) -> None:
    commit = repo.commit("x\n")
    folder = {"branches": "refs/heads", "tags": "refs/tags"}[kind]
    for number in range(others):
        repo.ref(f"{folder}/number{number:02d}", commit)
    repo.ref(f"{folder}/good", commit)
    write(repo, f"{folder}/broken", "1" * 40 + "\n")

    assert await names(daemon, repo, kind, commit) == by_git(repo, kind, commit)
    assert len(by_git(repo, kind, commit)) == others + 1
