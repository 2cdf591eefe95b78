"""CommitService/CountDivergingCommits (commit.md 3.2)."""

from __future__ import annotations

from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.commit_pb2 import CountDivergingCommitsRequest
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from gitaly_py.pb.shared_pb2 import Repository
from tests.support.daemon import Daemon
from tests.support.histories import eventful
from tests.support.repositories import Repo
from tests.support.status import refused


async def counts(
    daemon: Daemon, repository: Repository, source: bytes, target: bytes, **fields: Any
) -> tuple[int, int]:
    request = CountDivergingCommitsRequest(repository=repository, to=target, **{"from": source}, **fields)
    response = await daemon.stub(CommitServiceStub).CountDivergingCommits(request)
    return response.left_count, response.right_count


async def test_commits_on_either_side_are_counted(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    did = eventful(repo)
    pairs = [
        (b"main", b"main", None),
        (b"main", b"side", None),
        (b"side", b"main", None),
        (b"unrelated", b"side", (1, 6)),
        (b"refs/heads/odd/\xff", b"HEAD", None),
        (b"v1", did["loose"].encode(), None),
        (did["third"].encode(), did["change"].encode(), (1, 2)),
    ]
    for source, target, expected in pairs:
        found = await counts(daemon, repo.message, source, target)
        printed = repo.git("rev-list", "--count", "--left-right", b"%b...%b" % (source, target)).split()
        assert found == tuple(map(int, printed)), (source, target)
        assert expected is None or found == expected, (source, target)


async def test_the_sum_of_both_counts_is_bounded(daemon: Daemon, any_format_repo: Repo) -> None:
    eventful(any_format_repo)

    for most, expected in ((0, (1, 6)), (3, 3), (-1, (1, 6)), (100, (1, 6))):
        left, right = await counts(daemon, any_format_repo.message, b"unrelated", b"side", max_count=most)
        assert expected in ((left, right), left + right), most


@pytest.mark.parametrize(
    "pair", [(b"nope", b"main"), (b"main", b"nope"), (b"f" * 40, b"main"), (b"^main", b"main")]
)
async def test_an_unknown_revision_is_an_error(daemon: Daemon, repo: Repo, pair: tuple[bytes, bytes]) -> None:
    repo.history(1, ref="refs/heads/main")

    async with refused(StatusCode.INTERNAL, "exit status 128"):
        await counts(daemon, repo.message, *pair)


async def test_both_ends_are_required_before_the_repository_is_looked_at(daemon: Daemon, repo: Repo) -> None:
    absent = Repository(storage_name="default", relative_path="absent.git")

    for repository in (repo.message, absent, Repository()):
        for pair in ((b"", b"main"), (b"main", b""), (b"", b"")):
            async with refused(StatusCode.INVALID_ARGUMENT, "from and to are both required"):
                await counts(daemon, repository, *pair)
    async with refused(StatusCode.NOT_FOUND, "repository not found"):
        await counts(daemon, absent, b"-x", b"main")


@pytest.mark.parametrize(
    ("pair", "text"),
    [
        ((b"-x", b"main"), "revision can't start with '-'"),
        ((b"--all", b"main"), "revision can't start with '-'"),
        ((b"--glob=*", b"main"), "revision can't start with '-'"),
        ((b"ma in", b"main"), "revision can't contain whitespace"),
        ((b"main", b"x\n"), "revision can't contain whitespace"),
        ((b"main", b"x\0"), "revision can't contain NUL"),
    ],
)
async def test_what_git_must_not_see_is_refused(
    daemon: Daemon, repo: Repo, pair: tuple[bytes, bytes], text: str
) -> None:
    repo.history(1, ref="refs/heads/main")

    async with refused(StatusCode.INVALID_ARGUMENT, f"validating positional argument: {text}"):
        await counts(daemon, repo.message, *pair)
