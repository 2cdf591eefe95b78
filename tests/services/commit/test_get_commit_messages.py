"""CommitService/GetCommitMessages (commit.md 3.1)."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from grpc import StatusCode

from gitaly_py.pb.commit_pb2 import GetCommitMessagesRequest, GetCommitMessagesResponse
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from tests.support.daemon import Daemon
from tests.support.repositories import Repo
from tests.support.status import collect, refused


async def responses(daemon: Daemon, repo: Repo, ids: Iterable[str]) -> list[GetCommitMessagesResponse]:
    request = GetCommitMessagesRequest(repository=repo.message, commit_ids=ids)
    return await collect(daemon.stub(CommitServiceStub).GetCommitMessages(request))


async def texts(daemon: Daemon, repo: Repo, ids: Iterable[str]) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for message in await responses(daemon, repo, ids):
        if message.commit_id:
            assert not message.message
            found.append((message.commit_id, b""))
        else:
            assert 0 < len(message.message) <= 131_072
            found[-1] = (found[-1][0], found[-1][1] + message.message)
    return found


async def test_messages_come_whole_and_in_the_order_of_the_request(
    daemon: Daemon, any_format_repo: Repo
) -> None:
    repo = any_format_repo
    long = b"s" * 11_000 + b"\n\n" + b"x" * 3_000_000
    messages = [b"subject\n\nbody\n", b"\xff\xfe latin", b"", b"\nleading\n\n\nlines\n\n", b"a\0b\r\n", long]
    ids = [repo.commit(message, headers=b"encoding latin1\nodd\n") for message in messages]

    found = await texts(daemon, repo, [*ids, ids[0]])

    assert found == list(zip([*ids, ids[0]], [*messages, messages[0]], strict=True))
    assert found[0][1] == repo.git_bytes("log", "-1", "--encoding=latin1", "--format=%B", ids[0])[:-1]


async def test_every_name_of_a_commit_will_do_and_is_repeated(daemon: Daemon, any_format_repo: Repo) -> None:
    oid = any_format_repo.commit("m\n", ref="refs/heads/main")
    any_format_repo.tag("v1", oid)
    names = ["main", oid[:8], "v1", "refs/tags/v1", oid.upper()]

    assert await texts(daemon, any_format_repo, names) == [(name, b"m\n") for name in names]


async def test_nothing_asked_is_nothing_sent(daemon: Daemon, repo: Repo) -> None:
    assert await responses(daemon, repo, []) == []


@pytest.mark.parametrize("name", ["nope", "", "f" * 40, "main^{tree}", "main:file", "-x"])
async def test_what_is_no_commit_is_an_error(daemon: Daemon, any_format_repo: Repo, name: str) -> None:
    any_format_repo.history(1, ref="refs/heads/main")

    async with refused(StatusCode.INTERNAL, "failed to get commit message: object not found"):
        await responses(daemon, any_format_repo, ["main", name])
