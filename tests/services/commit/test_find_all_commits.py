"""CommitService/FindAllCommits (commit.md 3.2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.commit_pb2 import FindAllCommitsRequest, FindAllCommitsResponse
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from tests.support.daemon import Daemon
from tests.support.histories import eventful
from tests.support.repositories import Repo
from tests.support.status import collect, refused


async def responses(daemon: Daemon, repo: Repo, **fields: Any) -> list[FindAllCommitsResponse]:
    request = FindAllCommitsRequest(repository=repo.message, **fields)
    return await collect(daemon.stub(CommitServiceStub).FindAllCommits(request))


async def ids(daemon: Daemon, repo: Repo, **fields: Any) -> list[str]:
    messages = await responses(daemon, repo, **fields)
    return [commit.id for message in messages for commit in message.commits]


def log(repo: Repo, *args: str | bytes) -> list[str]:
    return repo.git("log", "--format=%H", *args).split()


async def test_commits_are_those_that_git_lists(daemon: Daemon, any_format_repo: Repo) -> None:
    did = eventful(any_format_repo)
    orders = FindAllCommitsRequest.Order
    cases: list[tuple[dict[str, Any], list[str | bytes]]] = [
        ({}, ["--branches"]),
        ({"revision": b"main"}, ["main"]),
        ({"revision": b"refs/heads/odd/\xff"}, [b"refs/heads/odd/\xff"]),
        ({"revision": b"side..main"}, ["side..main"]),
        ({"revision": did["loose"].encode()}, [did["loose"]]),
        ({"revision": b"v1"}, ["v1"]),
        ({"order": orders.TOPO}, ["--branches", "--topo-order"]),
        ({"order": orders.DATE}, ["--branches", "--date-order"]),
        ({"max_count": 3}, ["--branches", "--max-count=3"]),
        ({"max_count": -3}, ["--branches"]),
        ({"skip": 2}, ["--branches", "--skip=2"]),
        ({"skip": -2}, ["--branches"]),
        ({"skip": 2, "max_count": 3, "revision": b"main"}, ["main", "--skip=2", "--max-count=3"]),
        ({"skip": 100}, ["--branches", "--skip=100"]),
    ]
    for fields, args in cases:
        assert await ids(daemon, any_format_repo, **fields) == log(any_format_repo, *args), fields
    assert did["loose"] not in await ids(daemon, any_format_repo)
    assert did["second"] in await ids(daemon, any_format_repo)


async def test_commits_are_whole_and_their_identities_mapped(daemon: Daemon, any_format_repo: Repo) -> None:
    did = eventful(any_format_repo)

    [message] = await responses(daemon, any_format_repo, revision=b"main")

    by_id = {commit.id: commit for commit in message.commits}
    changed = by_id[did["change"]]
    assert (changed.author.name, changed.author.email) == (b"Bob Mapped", b"bob@new.example.com")
    assert (changed.committer.name, changed.committer.email) == (b"Ann Mapped", b"ANN@example.com")
    assert (changed.subject, changed.body_size) == (b"Change new", len(b"Change new\r\n"))
    assert by_id[did["octopus"]].parent_ids == [did["merge"], did["second"], did["third"]]
    assert by_id[did["mode"]].encoding == "ISO-8859-1"
    assert not any(commit.trailers or commit.HasField("short_stats") for commit in message.commits)


@pytest.mark.parametrize("revision", [b"nope", b"f" * 40, b"main..nope", b"main^{tree}", b"\xff"])
async def test_what_git_cannot_walk_has_no_commits(daemon: Daemon, repo: Repo, revision: bytes) -> None:
    repo.history(1, ref="refs/heads/main")

    assert await responses(daemon, repo, revision=revision) == []


async def test_an_empty_repository_has_no_commits(daemon: Daemon, any_format_repo: Repo) -> None:
    assert await responses(daemon, any_format_repo) == []


async def test_without_branches_git_looks_at_head(daemon: Daemon, repo: Repo) -> None:
    history = repo.history(2, ref="refs/tags/only")
    Path(repo.path, "HEAD").write_text(history[-1] + "\n")

    assert await ids(daemon, repo) == history[::-1]


@pytest.mark.parametrize(
    ("revision", "text"),
    [
        (b"-x", "revision can't start with '-'"),
        (b"--all", "revision can't start with '-'"),
        (b"a b", "revision can't contain whitespace"),
        (b"a:b", "revision can't contain ':'"),
        (b"a\0", "revision can't contain NUL"),
    ],
)
async def test_bad_revisions_are_refused(daemon: Daemon, repo: Repo, revision: bytes, text: str) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await responses(daemon, repo, revision=revision)


async def test_a_long_history_comes_in_several_messages(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    tips = [repo.commit(b"%d\n" % number + b"x" * 2000) for number in range(700)]
    repo.ref("refs/heads/main", repo.commit("all\n", parents=tips))

    messages = await responses(daemon, repo)

    listed = [commit.id for message in messages for commit in message.commits]
    assert listed == log(repo, "--branches")
    assert len(messages) == 2
    assert all(message.ByteSize() <= 1_060_000 for message in messages)
    assert messages[0].ByteSize() > 1_000_000
