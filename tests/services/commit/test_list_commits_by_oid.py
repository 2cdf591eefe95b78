"""CommitService/ListCommitsByOid (commit.md 3.1)."""

from __future__ import annotations

import pytest
from grpc import StatusCode

from gitaly_py.pb.commit_pb2 import ListCommitsByOidRequest, ListCommitsByOidResponse
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from tests.support.daemon import Daemon
from tests.support.histories import eventful
from tests.support.repositories import Repo
from tests.support.status import collect, refused


async def responses(daemon: Daemon, repo: Repo, *oids: str) -> list[ListCommitsByOidResponse]:
    request = ListCommitsByOidRequest(repository=repo.message, oid=oids)
    return await collect(daemon.stub(CommitServiceStub).ListCommitsByOid(request))


async def ids(daemon: Daemon, repo: Repo, *oids: str) -> list[str]:
    messages = await responses(daemon, repo, *oids)
    return [commit.id for message in messages for commit in message.commits]


async def test_commits_come_in_the_order_asked_as_often_as_asked(
    daemon: Daemon, any_format_repo: Repo
) -> None:
    did = eventful(any_format_repo)
    oids = [did["map"], did["root"], did["loose"], did["root"]]

    [message] = await responses(daemon, any_format_repo, *oids)

    assert [commit.id for commit in message.commits] == oids
    assert [commit.subject for commit in message.commits] == [b"Map", b"Root", b"Loose", b"Root"]
    assert message.commits[1].author.name == b"Ann Mapped"


async def test_any_revision_of_a_commit_is_taken(daemon: Daemon, any_format_repo: Repo) -> None:
    did = eventful(any_format_repo)
    tag = any_format_repo.git("rev-parse", "v1")
    names = [did["root"][:10], did["side"].upper(), tag, "v1", "HEAD", "main~1", "refs/heads/side"]

    found = await ids(daemon, any_format_repo, *names)

    expected = [any_format_repo.git("rev-parse", f"{name}^{{commit}}") for name in names]
    assert found == expected


async def test_what_is_no_commit_is_left_out(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    oid = repo.commit("x\n", {"file": b"1", "x^{commit}": b"2"}, ref="refs/heads/main")
    others = [
        "",
        "nope",
        "f" * len(oid),
        repo.git("rev-parse", "main^{tree}"),
        repo.git("rev-parse", "main:file"),
        "main:file",
        "main:x",
        "main..main",
        "^main",
        "-x",
        "a b\nc",
        "0123",
    ]

    assert await ids(daemon, repo, *others, oid, *others, "main") == [oid, oid]
    assert await responses(daemon, repo, *others) == []
    assert await responses(daemon, repo) == []


async def test_thousands_of_commits_come_in_several_messages(daemon: Daemon, any_format_repo: Repo) -> None:
    oids = [any_format_repo.commit(b"%d\n" % number + b"y" * 6000) for number in range(50)]
    asked = [
        oid for number, oid in enumerate(oids * 20) for oid in (oid, f"{number:x}" * 4)[: 1 + number % 2]
    ]

    messages = await responses(daemon, any_format_repo, *asked)

    assert [commit.id for message in messages for commit in message.commits] == oids * 20
    assert len(messages) == 6
    assert all(message.ByteSize() <= 1_060_000 for message in messages)


async def test_a_nul_byte_is_refused(daemon: Daemon, repo: Repo) -> None:
    [oid] = repo.history(1)

    async with refused(StatusCode.INVALID_ARGUMENT, "revision must not contain NUL bytes"):
        await responses(daemon, repo, oid, "main\0")


async def test_a_short_id_of_several_commits_is_left_out(daemon: Daemon, any_format_repo: Repo) -> None:
    found: set[str] = set()
    while (short := any_format_repo.commit("x\n", tree=any_format_repo.format.empty_tree)[:4]) not in found:
        found.add(short)

    assert await responses(daemon, any_format_repo, short) == []


@pytest.mark.parametrize("fill", [0, 600])
async def test_damaged_commits_fail_the_call(daemon: Daemon, repo: Repo, fill: int) -> None:
    [oid] = repo.history(1)
    (daemon.storage / repo.message.relative_path / "objects" / oid[:2] / oid[2:]).write_bytes(b"garbage")
    [good] = repo.history(1, ref="refs/heads/main")

    async with refused(StatusCode.INTERNAL):
        await responses(daemon, repo, *[good] * fill, oid)
