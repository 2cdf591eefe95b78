"""CommitService/ListCommitsByRefName (commit.md 3.1)."""

from __future__ import annotations

from gitaly_py.pb.commit_pb2 import ListCommitsByRefNameRequest, ListCommitsByRefNameResponse
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from tests.support.daemon import Daemon
from tests.support.histories import eventful
from tests.support.repositories import Repo
from tests.support.status import collect


async def responses(daemon: Daemon, repo: Repo, *names: bytes) -> list[ListCommitsByRefNameResponse]:
    request = ListCommitsByRefNameRequest(repository=repo.message, ref_names=names)
    return await collect(daemon.stub(CommitServiceStub).ListCommitsByRefName(request))


async def test_each_name_comes_with_its_commit(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    did = eventful(repo)
    repo.ref("refs/heads/🐻•ü", did["root"])
    asked = {
        b"main": "map",
        b"HEAD": "map",
        b"refs/heads/side": "side",
        "refs/heads/🐻•ü".encode(): "root",
        b"refs/heads/odd/\xff": "change",
        b"v1": "change",
        b"refs/merge-requests/1/head": "map",
        b"main~1": "signed",
        did["third"].encode(): "third",
        did["third"][:9].encode(): "third",
    }

    [message] = await responses(daemon, repo, *asked)

    found = [(each.ref_name, each.commit.id) for each in message.commit_refs]
    assert found == [(name, did[event]) for name, event in asked.items()]
    assert message.commit_refs[3].commit.author.name == b"Ann Mapped"
    assert message.commit_refs[3].commit.tree_id == repo.git("rev-parse", did["root"] + "^{tree}")


async def test_what_is_no_commit_is_left_out(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    repo.commit("x\n", {"x^{commit}": b"1"}, ref="refs/heads/main")
    repo.tag("blob", repo.blob(b"1"), kind="blob")
    repo.symref("refs/heads/dangling", "refs/heads/absent")
    others = [b"", b"nope", b"blob", b"main:x", b"main^{tree}", b"refs/heads/dangling", b"\xff", b"heads"]

    [message] = await responses(daemon, repo, *others, b"main", *others, b"main")

    assert [each.ref_name for each in message.commit_refs] == [b"main", b"main"]
    assert await responses(daemon, repo, *others) == []
    assert await responses(daemon, repo) == []


async def test_an_empty_repository_has_no_commits(daemon: Daemon, any_format_repo: Repo) -> None:
    assert await responses(daemon, any_format_repo, b"HEAD", b"main") == []


async def test_thousands_of_names_come_in_several_messages(daemon: Daemon, any_format_repo: Repo) -> None:
    oid = any_format_repo.commit(b"s\n" + b"z" * 1200, ref="refs/heads/main")
    names = [b"main", b"nope", b"HEAD", b"refs/heads/main"] * 400

    messages = await responses(daemon, any_format_repo, *names)

    pairs = [(each.ref_name, each.commit.id) for message in messages for each in message.commit_refs]
    assert pairs == [(name, oid) for name in names if name != b"nope"]
    assert len(messages) == 2
    assert messages[0].ByteSize() > 1_000_000
