"""CommitService/CommitsByMessage (commit.md 3.2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.commit_pb2 import CommitsByMessageRequest, CommitsByMessageResponse
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from gitaly_py.pb.shared_pb2 import GlobalOptions
from tests.support.daemon import Daemon
from tests.support.histories import eventful
from tests.support.repositories import Repo
from tests.support.status import collect, refused


async def responses(daemon: Daemon, repo: Repo, query: str, **fields: Any) -> list[CommitsByMessageResponse]:
    request = CommitsByMessageRequest(repository=repo.message, query=query, **fields)
    return await collect(daemon.stub(CommitServiceStub).CommitsByMessage(request))


async def ids(daemon: Daemon, repo: Repo, query: str, **fields: Any) -> list[str]:
    messages = await responses(daemon, repo, query, **fields)
    return [commit.id for message in messages for commit in message.commits]


async def test_commits_are_those_that_git_finds(daemon: Daemon, any_format_repo: Repo) -> None:
    did = eventful(any_format_repo)
    cases: list[tuple[dict[str, Any], list[str | bytes], list[str]]] = [
        ({"query": "merge"}, ["main"], ["octopus", "merge"]),
        ({"query": "^SIGNED-off"}, ["main"], ["rename"]),
        ({"query": "a\\(p\\|d\\)"}, ["main"], ["map"]),
        ({"query": "-side"}, ["main"], []),
        ({"query": "jürgen"}, ["main"], ["mode"]),
        ({"query": "root", "revision": b"unrelated"}, ["unrelated"], ["second"]),
        ({"query": "new", "revision": b"refs/heads/odd/\xff"}, [b"refs/heads/odd/\xff"], ["change"]),
        ({"query": "e", "offset": 2, "limit": 3}, ["main", "--skip=2", "--max-count=3"], []),
        ({"query": "e", "offset": -2, "limit": -3}, ["main"], []),
        ({"query": "e", "path": b"new"}, ["main", "--", "new"], []),
        ({"query": "o", "path": b'odd \xff\n"'}, ["main", "--", b'odd \xff\n"'], ["root"]),
        ({"query": "e", "path": b"nope"}, ["main", "--", "nope"], []),
    ]
    for fields, args, known in cases:
        grep = f"--grep={fields['query']}"
        expected = any_format_repo.git("log", "--format=%H", grep, "--regexp-ignore-case", *args).split()
        assert await ids(daemon, any_format_repo, **fields) == expected, fields
        assert not known or [did[each] for each in known] == expected, fields


async def test_commits_are_whole_and_their_identities_mapped(daemon: Daemon, any_format_repo: Repo) -> None:
    eventful(any_format_repo)

    [message] = await responses(daemon, any_format_repo, "change new")

    assert [commit.subject for commit in message.commits] == [b"Change new"]
    assert message.commits[0].author.name == b"Bob Mapped"


async def test_a_literal_path_is_no_pattern(daemon: Daemon, repo: Repo) -> None:
    plain = repo.commit("plain\n", {"file": b"1"})
    star = repo.commit("star\n", {"file": b"1", "*": b"1"}, [plain], ref="refs/heads/main")
    literal = GlobalOptions(literal_pathspecs=True)

    assert await ids(daemon, repo, "a", path=b"*") == [star, plain]
    assert await ids(daemon, repo, "a", path=b"*", global_options=literal) == [star]


async def test_without_a_revision_the_default_branch_is_searched(daemon: Daemon, repo: Repo) -> None:
    oid = repo.commit("word\n", ref="refs/heads/other")
    assert await ids(daemon, repo, "word") == [oid]

    master = repo.commit("a word\n", ref="refs/heads/master")
    assert await ids(daemon, repo, "word") == [master]

    main = repo.commit("the word\n", ref="refs/heads/main")
    assert await ids(daemon, repo, "word") == [main]


async def test_an_empty_repository_has_no_commits(daemon: Daemon, any_format_repo: Repo) -> None:
    assert await responses(daemon, any_format_repo, "x") == []


async def test_a_detached_head_names_no_default_branch(daemon: Daemon, repo: Repo) -> None:
    [oid] = repo.history(1, ref="refs/heads/main")
    Path(repo.path, "HEAD").write_text(oid + "\n")

    async with refused(StatusCode.INTERNAL):
        await responses(daemon, repo, "x")
    assert await ids(daemon, repo, "commit", revision=b"main") == [oid]


async def test_what_git_cannot_search_has_no_commits(daemon: Daemon, repo: Repo) -> None:
    repo.history(1, ref="refs/heads/main")

    for revision in (b"nope", b"f" * 40, b"main..nope", b"\xff"):
        assert await responses(daemon, repo, "commit", revision=revision) == []
    assert await responses(daemon, repo, "\\(") == []


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"query": ""}, "empty Query"),
        ({"query": "", "revision": b"-x"}, "revision can't start with '-'"),
        ({"query": "x", "revision": b"a b"}, "revision can't contain whitespace"),
        ({"query": "x", "revision": b"main:file"}, "revision can't contain ':'"),
    ],
    ids=str,
)
async def test_bad_requests_are_refused(
    daemon: Daemon, repo: Repo, fields: dict[str, Any], text: str
) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await responses(daemon, repo, **fields)
