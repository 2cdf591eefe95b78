"""CommitService/CheckObjectsExist (commit.md 3.3)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence

import pytest
from grpc import StatusCode

from gitaly_py.pb.commit_pb2 import CheckObjectsExistRequest, CheckObjectsExistResponse
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from tests.support.daemon import Daemon
from tests.support.repositories import Repo
from tests.support.status import collect, refused


async def responses(
    daemon: Daemon, repo: Repo, *groups: Sequence[bytes], repeat_repository: bool = False
) -> list[CheckObjectsExistResponse]:
    async def requests() -> AsyncIterator[CheckObjectsExistRequest]:
        for number, revisions in enumerate(groups):
            request = CheckObjectsExistRequest(revisions=revisions)
            if number == 0 or repeat_repository:
                request.repository.CopyFrom(repo.message)
            yield request

    return await collect(daemon.stub(CommitServiceStub).CheckObjectsExist(requests()))


async def existing(daemon: Daemon, repo: Repo, *groups: Sequence[bytes]) -> list[tuple[bytes, bool]]:
    messages = await responses(daemon, repo, *groups)
    return [(each.name, each.exists) for message in messages for each in message.revisions]


async def test_objects_of_every_type_are_told_from_what_is_not_there(
    daemon: Daemon, any_format_repo: Repo
) -> None:
    repo = any_format_repo
    files = {
        "d/file": b"1",
        "~bar": b"2",
        "@": b"3",
        "a:b": b"4",
        "line\nend": b"5",
        b"\xff x": b"6",
        "sub": ("160000", "3" * repo.format.hex_length),
    }
    oid = repo.commit("x\n", files, ref="refs/heads/main")
    repo.ref(b"refs/heads/odd/\xff", oid)
    tag = repo.tag("v1", oid)
    expected = {
        oid.encode(): True,
        oid[:10].encode(): True,
        tag.encode(): True,
        repo.git("rev-parse", "main:d").encode(): True,
        repo.git("rev-parse", "main:d/file").encode(): True,
        b"main": True,
        b"HEAD": True,
        b"odd/\xff": True,
        b"main^{tree}": True,
        b"v1^{}": True,
        b"main:": True,
        b"HEAD:d": True,
        b"HEAD:d/": True,
        b"HEAD:d/file": True,
        b"main:~bar": True,
        b"main:@": True,
        b"main:a:b": True,
        b"main:line\nend": True,
        b"main:\xff x": True,
        b"main:sub": False,
        b"main:nope": False,
        b"main:line\nno": False,
        b"main:d/file/x": False,
        b"main:/d": False,
        b"main:./d": False,
        b"nope:~bar": False,
        b"nope": False,
        b"main~1": False,
        b"main..main": False,
        b"^main": False,
        b"f" * len(oid): False,
        b"f" * (len(oid) - 1): False,
        b"\xff": False,
    }

    assert await existing(daemon, repo, list(expected)) == list(expected.items())


async def test_answers_come_in_order_over_all_requests(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    oids = [oid.encode() for oid in repo.history(3, ref="refs/heads/main")]

    messages = await responses(daemon, repo, [oids[2], b"nope"], [], [oids[0]], [oids[2], oids[1]])

    answers = [(each.name, each.exists) for message in messages for each in message.revisions]
    assert answers == [(oids[2], True), (b"nope", False), (oids[0], True), (oids[2], True), (oids[1], True)]
    assert len(messages) == 1


async def test_thousands_of_objects_are_answered_in_order(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    there = [oid.encode() for oid in repo.history(20)]
    absent = [b"%0*x" % (repo.format.hex_length, number + 1) for number in range(20)]
    mixed = [oid for pair in zip(there, absent, strict=True) for oid in pair]
    groups = [mixed * 10, mixed, mixed * 500, [there[0]]]

    messages = await responses(daemon, repo, *groups)

    answers = [(each.name, each.exists) for message in messages for each in message.revisions]
    assert answers == [(oid, oid in there) for group in groups for oid in group]
    assert len(messages) == (1 if repo.format.name == "sha1" else 2)


async def test_names_among_many_ids_are_looked_up_as_names(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    [oid] = repo.history(1, ref="refs/heads/main")
    ids = [oid.encode()] * 600
    revisions = [*ids, b"main", oid.upper().encode(), oid[:9].encode(), b"main:nope", *ids]

    answers = await existing(daemon, repo, revisions)

    assert answers == [(revision, revision != b"main:nope") for revision in revisions]
    async with refused(StatusCode.INVALID_ARGUMENT, "invalid revision: revision can't start with '-'"):
        await existing(daemon, repo, [*ids, b"-main"])


async def test_answers_are_cut_into_messages_by_size(daemon: Daemon, repo: Repo) -> None:
    long = [b"nope:" + b"%d" % number * 1000 for number in range(600)]

    messages = await responses(daemon, repo, long[:300], long[300:])

    assert [each.name for message in messages for each in message.revisions] == long
    assert len(messages) == 2
    assert 1_000_000 < messages[0].ByteSize() <= 1_060_000


async def test_no_revisions_are_no_message(daemon: Daemon, any_format_repo: Repo) -> None:
    assert await responses(daemon, any_format_repo, []) == []
    assert await responses(daemon, any_format_repo, [], []) == []


async def test_a_later_repository_is_ignored(daemon: Daemon, repo: Repo) -> None:
    [oid] = repo.history(1)

    async def requests() -> AsyncIterator[CheckObjectsExistRequest]:
        yield CheckObjectsExistRequest(repository=repo.message)
        later = CheckObjectsExistRequest(revisions=[oid.encode()])
        later.repository.relative_path = "elsewhere.git"
        yield later

    [message] = await collect(daemon.stub(CommitServiceStub).CheckObjectsExist(requests()))
    assert [each.exists for each in message.revisions] == [True]


async def test_a_stream_without_a_request_is_an_error(daemon: Daemon, repo: Repo) -> None:
    async with refused(StatusCode.INTERNAL, "EOF"):
        await responses(daemon, repo)


@pytest.mark.parametrize(
    ("revision", "text"),
    [
        (b"", "empty revision"),
        (b":file", "empty revision"),
        (b"-main", "revision can't start with '-'"),
        (b"--all", "revision can't start with '-'"),
        (b"ma in", "revision can't contain whitespace"),
        (b"main\n:x", "revision can't contain whitespace"),
        (b"main\\", "revision can't contain '\\'"),
        (b"main:a\0b", "revision can't contain NUL"),
    ],
)
@pytest.mark.parametrize("before", [[], [[b"main"]]], ids=["first", "later"])
async def test_bad_revisions_are_refused(
    daemon: Daemon, repo: Repo, before: list[list[bytes]], revision: bytes, text: str
) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, f"invalid revision: {text}"):
        await responses(daemon, repo, *before, [b"main", revision])


async def test_an_ambiguous_short_id_is_an_error(daemon: Daemon, any_format_repo: Repo) -> None:
    found: set[str] = set()
    number = 0
    while (short := any_format_repo.blob(b"%d" % number)[:4]) not in found:
        found.add(short)
        number += 1

    async with refused(StatusCode.INTERNAL, f'invalid info line: "{short} ambiguous"'):
        await responses(daemon, any_format_repo, [short.encode()])


async def test_a_quarantine_shows_only_its_own_objects(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    old = repo.blob(b"old").encode()
    quarantine = f"{repo.path}/objects/incoming"
    os.mkdir(quarantine)
    new = repo.git("hash-object", "-w", "--stdin", stdin=b"new", env={"GIT_OBJECT_DIRECTORY": quarantine})
    assert await existing(daemon, repo, [old, new.encode()]) == [(old, True), (new.encode(), False)]

    repo.message.git_object_directory = "objects/incoming"
    assert await existing(daemon, repo, [old, new.encode()]) == [(old, False), (new.encode(), True)]
