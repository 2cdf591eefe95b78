from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.smarthttp_pb2 import PostUploadPackRequest
from gitaly_py.pb.smarthttp_pb2_grpc import SmartHTTPServiceStub
from tests.support.daemon import Daemon
from tests.support.pushes import eventually
from tests.support.repositories import Repo
from tests.support.smarthttp import FLUSH, git_processes, noisy, pkt, wants
from tests.support.status import collect, refused

ABSENT = "1" * 40
FAILED = "running upload-pack: waiting for upload-pack: exit status 128"


def call(daemon: Daemon, repo: Repo, pieces: Iterable[bytes], *, first: Any = None, end: bool = True) -> Any:
    """Begins a call. first: the first message's fields; end: False keeps the requests coming, so to say."""

    async def requests() -> AsyncIterator[PostUploadPackRequest]:
        yield PostUploadPackRequest(repository=repo.message, **(first or {}))
        for piece in pieces:
            yield PostUploadPackRequest(data=piece)
        if not end:
            await asyncio.Event().wait()

    stub: Any = daemon.stub(SmartHTTPServiceStub)
    return stub.PostUploadPack(requests())


async def fetch(daemon: Daemon, repo: Repo, *pieces: bytes, **first: Any) -> bytes:
    return b"".join([message.data for message in await collect(call(daemon, repo, pieces, first=first))])


async def test_a_fetch_brings_a_pack_of_what_was_wanted(daemon: Daemon, any_format_repo: Repo) -> None:
    oid = any_format_repo.history(3, "refs/heads/main")[-1]

    assert (await fetch(daemon, any_format_repo, wants(oid))).startswith(b"0008NAK\nPACK")


async def test_a_request_may_come_in_any_pieces(daemon: Daemon, repo: Repo) -> None:
    body = wants(repo.history(1, "refs/heads/main")[0])

    answer = await fetch(daemon, repo, b"", *(body[n : n + 1] for n in range(len(body))), b"")

    assert answer == await fetch(daemon, repo, body)


async def test_an_answer_comes_in_messages_of_at_most_128_kib(daemon: Daemon, repo: Repo) -> None:
    oid = noisy(repo, 1_000_000)

    messages = await collect(call(daemon, repo, [wants(oid)]))

    assert max(len(message.data) for message in messages) <= 128 * 1024
    assert sum(len(message.data) for message in messages) > 1_000_000


async def test_the_protocol_version_is_gits_to_honour(daemon: Daemon, repo: Repo) -> None:
    oid = repo.history(1, "refs/heads/main")[0]
    body = pkt("command=ls-refs\n") + FLUSH

    assert await fetch(daemon, repo, body, git_protocol="version=2") == (
        pkt(f"{oid} HEAD\n") + pkt(f"{oid} refs/heads/main\n") + FLUSH
    )


async def test_the_first_round_of_a_shallow_clone_succeeds_though_git_fails(
    daemon: Daemon, repo: Repo
) -> None:
    oid = repo.history(2, "refs/heads/main")[-1]

    answer = await fetch(daemon, repo, pkt(f"want {oid} shallow\n") + pkt("deepen 1\n") + FLUSH)

    assert answer == pkt(f"shallow {oid}") + FLUSH


async def test_what_git_refuses_is_said_before_the_call_fails(daemon: Daemon, repo: Repo) -> None:
    repo.history(1, "refs/heads/main")
    answer = b""

    async with refused(StatusCode.FAILED_PRECONDITION, FAILED):
        async for message in call(daemon, repo, [wants(ABSENT)]):
            answer += message.data

    assert answer == pkt(f"ERR upload-pack: not our ref {ABSENT}")


async def test_the_first_message_must_have_no_data(daemon: Daemon, repo: Repo) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, "non-empty Data"):
        await fetch(daemon, repo, data=b"early")


async def test_an_option_without_a_value_is_refused(daemon: Daemon, repo: Repo) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, 'cannot convert invalid config key: "x"'):
        await fetch(daemon, repo, git_config_options=["x"])


async def test_git_may_end_before_the_client_does(daemon: Daemon, repo: Repo) -> None:
    repo.history(1, "refs/heads/main")

    async with refused(StatusCode.FAILED_PRECONDITION, FAILED):
        await collect(call(daemon, repo, [b"no pkt-line"], end=False))


async def test_a_client_that_hangs_up_leaves_no_git_behind(daemon: Daemon, repo: Repo) -> None:
    oid = noisy(repo, 3_000_000)

    reading = call(daemon, repo, [wants(oid)])
    await reading.read()
    assert git_processes(daemon, repo)
    reading.cancel()

    await eventually(lambda: not git_processes(daemon, repo))
    with pytest.raises(asyncio.CancelledError):
        await reading.read()
