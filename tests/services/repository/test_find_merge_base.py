"""FindMergeBase (repository.md)."""

from __future__ import annotations

import pytest
from grpc import StatusCode

from gitaly_py.pb.repository_pb2 import FindMergeBaseRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from tests.support.repositories import Repo
from tests.support.status import refused


async def base(stub: RepositoryServiceStub, repo: Repo, *revisions: str | bytes) -> str:
    names = [each.encode() if isinstance(each, str) else each for each in revisions]
    return (await stub.FindMergeBase(FindMergeBaseRequest(repository=repo.message, revisions=names))).base


async def test_the_base_of_two_branches_is_where_they_parted(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    root = any_format_repo.commit("root\n")
    fork = any_format_repo.commit("fork\n", parents=[root])
    any_format_repo.commit("left\n", parents=[fork], ref="refs/heads/left")
    any_format_repo.commit("right\n", parents=[fork], ref="refs/heads/right")

    assert await base(repositories, any_format_repo, "left", "refs/heads/right") == fork


async def test_the_base_of_several_revisions_is_that_of_the_first_and_a_merge_of_the_rest(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    root, middle, top = repo.history(3)
    first = repo.commit("first\n", parents=[top])
    second = repo.commit("second\n", parents=[middle])
    third = repo.commit("third\n", parents=[root])

    assert await base(repositories, repo, first, second, third) == repo.git(
        "merge-base", first, second, third
    )
    assert await base(repositories, repo, third, first, second) == root


async def test_a_criss_cross_history_gives_the_base_git_prefers(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    root = repo.commit("root\n")
    one = repo.commit("one\n", parents=[root])
    two = repo.commit("two\n", parents=[root])
    left = repo.commit("left\n", parents=[one, two])
    right = repo.commit("right\n", parents=[two, one])

    found = await base(repositories, repo, left, right)

    assert found == repo.git("merge-base", left, right)
    assert set(repo.git("merge-base", "--all", left, right).split()) == {one, two}


async def test_unrelated_histories_have_no_base(repositories: RepositoryServiceStub, repo: Repo) -> None:
    assert await base(repositories, repo, repo.commit("one\n"), repo.commit("two\n")) == ""


async def test_an_unknown_revision_gives_no_base(repositories: RepositoryServiceStub, repo: Repo) -> None:
    assert await base(repositories, repo, repo.commit(), "unknown") == ""


@pytest.mark.parametrize("revisions", [[], ["main"]], ids=["none", "one"])
async def test_fewer_than_two_revisions_are_refused(
    repositories: RepositoryServiceStub, repo: Repo, revisions: list[str]
) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, "at least 2 revisions are required"):
        await base(repositories, repo, *revisions)


async def test_a_revision_that_looks_like_an_option_is_refused(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    text = "cmd: positional arg \"-x\" cannot start with dash '-': invalid argument"
    async with refused(StatusCode.INTERNAL, text):
        await base(repositories, repo, "main", "-x")


async def test_a_revision_with_a_nul_byte_is_refused(repositories: RepositoryServiceStub, repo: Repo) -> None:
    async with refused(StatusCode.INTERNAL, 'cmd: detected null byte in command argument "a\\x00b"'):
        await base(repositories, repo, "main", b"a\0b")
