"""CommitService/ListAllCommits (commit.md 3.2)."""

from __future__ import annotations

import os
from pathlib import Path

from gitaly_py.pb.commit_pb2 import ListAllCommitsRequest, ListAllCommitsResponse
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from gitaly_py.pb.shared_pb2 import PaginationParameter
from tests.support.daemon import Daemon
from tests.support.fixtures import NewRepo
from tests.support.histories import eventful
from tests.support.repositories import Repo
from tests.support.status import collect


async def responses(
    daemon: Daemon, repo: Repo, page: PaginationParameter | None = None
) -> list[ListAllCommitsResponse]:
    request = ListAllCommitsRequest(repository=repo.message, pagination_params=page)
    return await collect(daemon.stub(CommitServiceStub).ListAllCommits(request))


async def ids(daemon: Daemon, repo: Repo, page: PaginationParameter | None = None) -> list[str]:
    messages = await responses(daemon, repo, page)
    return [commit.id for message in messages for commit in message.commits]


async def test_all_commits_are_listed_reachable_or_not(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    did = eventful(repo)
    assert await ids(daemon, repo) == sorted(did.values())

    repo.git("repack", "-a", "-d", "-q")
    [message] = await responses(daemon, repo)

    assert [commit.id for commit in message.commits] == sorted(did.values())
    by_id = {commit.id: commit for commit in message.commits}
    assert by_id[did["loose"]].subject == b"Loose"
    assert by_id[did["root"]].author.name == b"Ann Mapped"


async def test_an_empty_repository_has_no_commits(daemon: Daemon, any_format_repo: Repo) -> None:
    any_format_repo.tree({"file": b"1"})

    assert await responses(daemon, any_format_repo) == []


async def test_pages_follow_one_another(daemon: Daemon, any_format_repo: Repo) -> None:
    every = sorted(any_format_repo.history(5))

    async def page(token: str, limit: int) -> list[str]:
        return await ids(daemon, any_format_repo, PaginationParameter(page_token=token, limit=limit))

    assert await page("", 1) == every[:1]
    assert await page(every[0], 2) == every[1:3]
    assert await page(every[2], 10) == every[3:]
    assert await page(every[2], 0) == every[3:]
    assert await page(every[2], -1) == every[3:]
    assert await page(every[-1], 2) == []
    assert await page("", 0) == every


async def test_a_token_that_is_no_commit_leaves_nothing(daemon: Daemon, repo: Repo) -> None:
    [oid] = repo.history(1, ref="refs/heads/main")

    for token in ("0" * 40, oid[:10], "main", repo.git("rev-parse", "main^{tree}")):
        assert await responses(daemon, repo, PaginationParameter(page_token=token)) == []


async def test_commits_of_alternates_are_listed_once(
    daemon: Daemon, any_format_repo: Repo, new_repo: NewRepo
) -> None:
    repo = any_format_repo
    pool = new_repo(object_format=repo.format.name)
    shared = pool.history(2)
    Path(repo.path, "objects/info").mkdir(exist_ok=True)
    Path(repo.path, "objects/info/alternates").write_text(f"{pool.path}/objects\n")
    own = repo.history(3)

    assert set(shared) < set(own)
    assert await ids(daemon, repo) == sorted(own)


async def test_a_quarantine_has_only_its_own_commits(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    [old] = repo.history(1, ref="refs/heads/main")
    quarantine = os.path.join(repo.path, "objects", "incoming")
    os.mkdir(quarantine)
    tree = repo.git("mktree", env={"GIT_OBJECT_DIRECTORY": quarantine})
    new = repo.git("commit-tree", "-m", "new", tree, env={"GIT_OBJECT_DIRECTORY": quarantine})
    assert await ids(daemon, repo) == [old]

    repo.message.git_object_directory = "objects/incoming"
    assert await ids(daemon, repo) == [new]

    repo.message.git_alternate_object_directories.append("objects")
    assert await ids(daemon, repo) == sorted([old, new])


async def test_replaced_commits_are_listed_as_they_are(daemon: Daemon, repo: Repo) -> None:
    first, second = repo.history(2, ref="refs/heads/main")
    repo.ref(f"refs/replace/{second}", first)

    [message] = await responses(daemon, repo)

    assert {commit.id: commit.subject for commit in message.commits} == {
        first: b"commit 0",
        second: b"commit 1",
    }
