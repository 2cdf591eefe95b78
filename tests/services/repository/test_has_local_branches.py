"""HasLocalBranches (repository.md)."""

from __future__ import annotations

from pathlib import Path

from gitaly_py.pb.repository_pb2 import HasLocalBranchesRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from tests.support.repositories import Repo


async def has_branches(stub: RepositoryServiceStub, repo: Repo) -> bool:
    return (await stub.HasLocalBranches(HasLocalBranchesRequest(repository=repo.message))).value


async def test_an_empty_repository_has_none(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    assert not await has_branches(repositories, any_format_repo)


async def test_tags_and_merge_requests_are_no_branches(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    oid = any_format_repo.commit(ref="refs/tags/v1")
    any_format_repo.ref("refs/merge-requests/1/head", oid)

    assert not await has_branches(repositories, any_format_repo)


async def test_a_branch_other_than_the_default_one_counts(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    any_format_repo.commit(ref="refs/heads/deep/below/feature")

    assert await has_branches(repositories, any_format_repo)


async def test_a_branch_of_zeros_is_broken(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    branch = Path(any_format_repo.path, "refs/heads/broken")
    branch.parent.mkdir(exist_ok=True)
    branch.write_text(any_format_repo.format.zero_oid + "\n")

    assert not any_format_repo.git("for-each-ref", "refs/heads/")
    assert not await has_branches(repositories, any_format_repo)


async def test_a_packed_branch_counts(repositories: RepositoryServiceStub, any_format_repo: Repo) -> None:
    any_format_repo.commit(ref="refs/heads/main")
    any_format_repo.git("pack-refs", "--all")

    assert await has_branches(repositories, any_format_repo)


async def test_the_answer_follows_the_repository(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    any_format_repo.commit(ref="refs/heads/main")
    assert await has_branches(repositories, any_format_repo)

    any_format_repo.git("update-ref", "-d", "refs/heads/main")

    assert not await has_branches(repositories, any_format_repo)
