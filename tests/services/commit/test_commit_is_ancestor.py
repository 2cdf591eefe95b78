"""CommitService/CommitIsAncestor (commit.md 3.2)."""

from __future__ import annotations

from grpc import StatusCode

from gitaly_py.pb.commit_pb2 import CommitIsAncestorRequest
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from tests.support.daemon import Daemon
from tests.support.repositories import Repo
from tests.support.status import refused


async def is_ancestor(daemon: Daemon, repo: Repo, ancestor: str, child: str) -> bool:
    request = CommitIsAncestorRequest(repository=repo.message, ancestor_id=ancestor, child_id=child)
    return (await daemon.stub(CommitServiceStub).CommitIsAncestor(request)).value


async def test_a_commit_is_an_ancestor_of_what_contains_it(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    first, second, third = repo.history(3, ref="refs/heads/main")
    repo.tag("v1", first)

    assert await is_ancestor(daemon, repo, first, third)
    assert await is_ancestor(daemon, repo, second, second)
    assert await is_ancestor(daemon, repo, "v1", "main")
    assert not await is_ancestor(daemon, repo, third, first)


async def test_unrelated_and_unknown_commits_are_no_ancestors(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    repo.history(2, ref="refs/heads/main")
    repo.commit("other\n", {"other": b"x"}, ref="refs/heads/other")
    tree = repo.git("rev-parse", "main^{tree}")

    for ancestor, child in (("other", "main"), ("nope", "main"), ("main", "f" * len(tree)), (tree, "main")):
        assert not await is_ancestor(daemon, repo, ancestor, child)


async def test_empty_ids_are_refused(daemon: Daemon, repo: Repo) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, "empty ancestor sha"):
        await is_ancestor(daemon, repo, "", "")
    async with refused(StatusCode.INVALID_ARGUMENT, "empty child sha"):
        await is_ancestor(daemon, repo, "main", "")


async def test_an_id_does_not_become_an_option(daemon: Daemon, repo: Repo) -> None:
    text = "positional arg \"--all\" cannot start with dash '-': invalid argument"

    async with refused(StatusCode.INTERNAL, text):
        await is_ancestor(daemon, repo, "--all", "main")
