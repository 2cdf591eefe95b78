"""CommitService/CountCommits (commit.md 3.2)."""

from __future__ import annotations

from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.commit_pb2 import CountCommitsRequest
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from gitaly_py.pb.shared_pb2 import GlobalOptions
from tests.support.daemon import Daemon
from tests.support.repositories import EPOCH, Repo
from tests.support.status import refused


async def count(daemon: Daemon, repo: Repo, **fields: Any) -> int:
    request = CountCommitsRequest(repository=repo.message, **fields)
    return (await daemon.stub(CommitServiceStub).CountCommits(request)).count


def branched(repo: Repo) -> Repo:
    """Five commits on main, two more on side, whose first is merged into main as the sixth."""
    history = repo.history(5)
    side = repo.commit("side 1\n", {"side": b"1"}, [history[0]])
    repo.commit("side 2\n", {"side": b"2"}, [side], ref="refs/heads/side")
    repo.commit("merge\n", {"file": b"4", "side": b"1"}, [history[4], side], ref="refs/heads/main")
    return repo


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"revision": b"main"}, 7),
        ({"revision": b"main~1"}, 5),
        ({"revision": b"main..side"}, 1),
        ({"all": True}, 8),
        ({"all": True, "revision": b"main~1"}, 8),
        ({"revision": b"main", "first_parent": True}, 6),
        ({"revision": b"main", "max_count": 3}, 3),
        ({"revision": b"main", "max_count": -1}, 7),
        ({"revision": b"main", "path": b"side"}, 1),
        ({"revision": b"main", "path": b"nope"}, 0),
        ({"revision": b"main", "after": {"seconds": EPOCH + 5, "nanos": 9}}, 3),
        ({"revision": b"main", "before": {"seconds": EPOCH + 5, "nanos": 9}}, 5),
        ({"revisions": [b"side", b"^main"]}, 1),
        ({"revisions": [b"--all", b"--not", b"main"]}, 1),
        ({"revisions": [b"side"], "revision": b"-ignored", "all": True}, 3),
    ],
    ids=str,
)
async def test_commits_are_counted(
    daemon: Daemon, any_format_repo: Repo, fields: dict[str, Any], expected: int
) -> None:
    assert await count(daemon, branched(any_format_repo), **fields) == expected


async def test_a_literal_path_is_no_pattern(daemon: Daemon, repo: Repo) -> None:
    branched(repo)
    literal = GlobalOptions(literal_pathspecs=True)

    assert await count(daemon, repo, revision=b"main", path=b"s*") == 1
    assert await count(daemon, repo, revision=b"main", path=b"s*", global_options=literal) == 0


@pytest.mark.parametrize("revision", [b"nope", b"f" * 40, b"\xff", b"main..nope"])
async def test_what_does_not_exist_has_no_commits(daemon: Daemon, repo: Repo, revision: bytes) -> None:
    repo.history(1, ref="refs/heads/main")

    assert await count(daemon, repo, revision=revision) == 0
    assert await count(daemon, repo, revisions=[revision]) == 0


async def test_an_empty_repository_has_no_commits(daemon: Daemon, any_format_repo: Repo) -> None:
    assert await count(daemon, any_format_repo, all=True) == 0


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "empty Revision and false All"),
        ({"revision": b"-x"}, "revision can't start with '-'"),
        ({"revision": b"--all"}, "revision can't start with '-'"),
        ({"revision": b"a b", "all": True}, "revision can't contain whitespace"),
        ({"revisions": [b"main", b"-x"]}, "invalid revision: revision can't start with '-'"),
        ({"revisions": [b""]}, "invalid revision: empty revision"),
        ({"revisions": [b"main\0"]}, "invalid revision: revision can't contain NUL"),
    ],
    ids=str,
)
async def test_bad_requests_are_refused(
    daemon: Daemon, repo: Repo, fields: dict[str, Any], text: str
) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await count(daemon, repo, **fields)
