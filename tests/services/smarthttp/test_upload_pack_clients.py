"""Clients of PostUploadPackWithSidechannel that stop, go away, or are many."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.smarthttp_pb2 import InfoRefsRequest, PostUploadPackWithSidechannelRequest
from gitaly_py.pb.smarthttp_pb2_grpc import SmartHTTPServiceStub
from gitaly_py.transport.client import ClientSidechannel, MultiplexedConnection
from tests.support.daemon import Daemon
from tests.support.mux import read_all
from tests.support.pushes import eventually
from tests.support.repositories import Repo
from tests.support.smarthttp import (
    FLUSH,
    Fetched,
    Talk,
    fetch_with,
    git_processes,
    noisy,
    packets,
    pkt,
    sending,
    wants,
)

METHOD = "PostUploadPackWithSidechannel"


async def fetch(connection: MultiplexedConnection, repo: Repo, talk: Talk) -> Fetched:
    request = PostUploadPackWithSidechannelRequest(repository=repo.message)
    return await fetch_with(connection, request, talk)


async def test_a_client_that_stops_reading_holds_up_nobody_and_leaves_nothing_when_it_is_gone(
    connection: MultiplexedConnection, daemon: Daemon, repo: Repo
) -> None:
    oid = noisy(repo, 3_000_000)
    gone = asyncio.Event()

    async def read_a_little(channel: ClientSidechannel) -> bytes:
        await channel.write(wants(oid))
        await channel.close_write()
        start = await channel.read(1000)
        await gone.wait()
        channel._stream.close()
        await eventually(lambda: not git_processes(daemon, repo))
        return start

    stalled = asyncio.ensure_future(fetch(connection, repo, read_a_little))
    await eventually(lambda: bool(git_processes(daemon, repo)))
    others = await asyncio.gather(*(fetch(connection, repo, sending(wants(oid))) for _ in range(2)))
    stub: Any = SmartHTTPServiceStub(connection.channel())  # type: ignore[no-untyped-call]
    advertised = [m.data async for m in stub.InfoRefsUploadPack(InfoRefsRequest(repository=repo.message))]
    still_there = git_processes(daemon, repo)
    gone.set()

    assert [len(other.answer) > 3_000_000 for other in others] == [True, True]
    assert advertised
    assert len(still_there) == 1
    error = (await stalled).error
    assert error is not None
    assert error.code() is StatusCode.FAILED_PRECONDITION
    assert error.details() == "running upload-pack: copying stdout from upload-pack: connection reset"


async def test_a_connection_that_is_cut_ends_git(daemon: Daemon, repo: Repo) -> None:
    oid = noisy(repo, 3_000_000)
    begun = asyncio.Event()

    async def read_nothing(channel: ClientSidechannel) -> bytes:
        await channel.write(wants(oid))
        await channel.close_write()
        begun.set()
        await asyncio.Event().wait()
        return b""

    connection = await MultiplexedConnection.dial(f"unix:{daemon.socket}")
    fetching = asyncio.ensure_future(fetch(connection, repo, read_nothing))
    await begun.wait()
    await eventually(lambda: bool(git_processes(daemon, repo)))
    await connection.close()

    await eventually(lambda: not git_processes(daemon, repo))
    with pytest.raises(BaseException):  # noqa: B017, PT011 - how the client's own end fails is not at issue
        await fetching
    entry = await daemon.access_entry(METHOD, **{"grpc.request.repoPath": repo.message.relative_path})
    assert entry["grpc.code"] == "Canceled"


async def test_a_cancelled_call_ends_git(
    connection: MultiplexedConnection, daemon: Daemon, repo: Repo
) -> None:
    oid = noisy(repo, 3_000_000)

    async def read_nothing(channel: ClientSidechannel) -> bytes:
        await channel.write(wants(oid))
        await channel.close_write()
        await asyncio.sleep(0.2)
        return await read_all(channel)

    fetching = asyncio.ensure_future(fetch(connection, repo, read_nothing))
    await eventually(lambda: bool(git_processes(daemon, repo)))
    fetching.cancel()

    with pytest.raises(asyncio.CancelledError):
        await fetching
    await eventually(lambda: not git_processes(daemon, repo))


async def test_many_wants_are_taken_at_once(connection: MultiplexedConnection, repo: Repo) -> None:
    commits = repo.history(64, "refs/heads/main")
    body = b"".join(pkt(f"want {commits[n % 64]}\n") for n in range(4096)) + FLUSH + pkt("done\n")

    fetched = await fetch(connection, repo, sending(body))

    assert fetched.response.packfile_negotiation_statistics.wants == 4096
    assert fetched.answer.startswith(b"0008NAK\nPACK")


async def test_fetches_run_side_by_side_on_one_connection(
    connection: MultiplexedConnection, repo: Repo
) -> None:
    oid = noisy(repo, 1_000_000)

    fetched = await asyncio.gather(*(fetch(connection, repo, sending(wants(oid))) for _ in range(8)))

    assert {len(one.answer) for one in fetched} == {len(fetched[0].answer)}
    assert all(one.error is None and b"PACK" in one.answer[:20] for one in fetched)
    assert list(packets(fetched[0].answer[:8])) == [b"NAK\n"]
