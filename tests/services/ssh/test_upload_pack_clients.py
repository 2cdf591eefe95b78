"""Clients of SSHUploadPackWithSidechannel that stop, go away, or are many."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.ssh_pb2 import SSHUploadPackWithSidechannelRequest
from gitaly_py.transport.client import ClientSidechannel, MultiplexedConnection
from tests.support.daemon import Daemon
from tests.support.mux import read_all
from tests.support.pushes import eventually
from tests.support.repositories import Repo
from tests.support.smarthttp import FLUSH, Fetched, Talk, git_processes, noisy, pkt, sending, wants
from tests.support.ssh import bands, failure_of, fetch_over_ssh

METHOD = "SSHUploadPackWithSidechannel"


async def fetch(connection: MultiplexedConnection, repo: Repo, talk: Talk) -> Fetched:
    request = SSHUploadPackWithSidechannelRequest(repository=repo.message)
    return await fetch_over_ssh(connection, request, talk)


def descriptors(daemon: Daemon) -> int:
    """How many the daemon has open."""
    return daemon.worker.num_fds()


async def test_a_client_that_stops_reading_holds_up_nobody_and_leaves_nothing_when_it_is_gone(
    connection: MultiplexedConnection, daemon: Daemon, repo: Repo
) -> None:
    oid = noisy(repo, 8_000_000)
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
    still_there = git_processes(daemon, repo)
    gone.set()

    assert [len(other.answer) > 8_000_000 for other in others] == [True, True]
    assert still_there
    code, text = failure_of(await stalled)
    assert code is StatusCode.INTERNAL
    assert str(text).startswith("running upload-pack: cmd wait: signal: broken pipe, stderr: ")


async def test_a_client_that_leaves_before_git_has_anything_to_say_is_noticed(
    connection: MultiplexedConnection, daemon: Daemon, repo: Repo
) -> None:
    repo.history(1, "refs/heads/main")

    async def leave(channel: ClientSidechannel) -> bytes:
        answer = b""
        while not answer.endswith(FLUSH):
            answer += await channel.read()
        channel._stream.reset()
        return answer

    fetched = await fetch(connection, repo, leave)

    assert failure_of(fetched) == (
        StatusCode.CANCELLED,
        "running upload-pack: user canceled the request",
    )
    assert git_processes(daemon, repo) == []


async def test_a_connection_that_is_cut_ends_git(daemon: Daemon, repo: Repo) -> None:
    oid = noisy(repo, 8_000_000)
    begun = asyncio.Event()

    async def read_nothing(channel: ClientSidechannel) -> bytes:
        await channel.write(wants(oid))
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


@pytest.mark.parametrize("body", [b"", b"0032want ", None], ids=["idle", "in mid packet", "in mid pack"])
async def test_a_cancelled_call_ends_git(
    connection: MultiplexedConnection, daemon: Daemon, repo: Repo, body: bytes | None
) -> None:
    oid = noisy(repo, 8_000_000)
    request = wants(oid) if body is None else body

    async def read_nothing(channel: ClientSidechannel) -> bytes:
        await channel.write(request)
        await asyncio.sleep(0.2)
        return await read_all(channel)

    fetching = asyncio.ensure_future(fetch(connection, repo, read_nothing))
    await eventually(lambda: bool(git_processes(daemon, repo)))
    fetching.cancel()

    with pytest.raises(asyncio.CancelledError):
        await fetching
    await eventually(lambda: not git_processes(daemon, repo))


async def test_calls_that_end_badly_leave_no_descriptor_behind(
    connection: MultiplexedConnection, daemon: Daemon, repo: Repo
) -> None:
    oid = noisy(repo, 1_000_000)

    async def leave(channel: ClientSidechannel) -> bytes:
        await channel.write(wants(oid))
        await channel.read(1)
        channel._stream.reset()
        return b""

    await fetch(connection, repo, leave)
    before = descriptors(daemon)
    for talk in [leave, sending(b"garbage"), sending(wants("1" * 40)), sending(wants(oid))] * 5:
        await fetch(connection, repo, talk)

    await eventually(lambda: descriptors(daemon) <= before)


async def test_many_wants_are_taken_at_once(connection: MultiplexedConnection, repo: Repo) -> None:
    commits = repo.history(64, "refs/heads/main")
    body = b"".join(pkt(f"want {commits[n % 64]}\n") for n in range(4096)) + FLUSH + pkt("done\n")

    fetched = await fetch(connection, repo, sending(body))

    assert fetched.response.packfile_negotiation_statistics.wants == 4096
    assert b"NAK\nPACK" in bands(fetched.answer)[1]


async def test_fetches_run_side_by_side_on_one_connection(
    connection: MultiplexedConnection, repo: Repo
) -> None:
    oid = noisy(repo, 1_000_000)

    fetched = await asyncio.gather(*(fetch(connection, repo, sending(wants(oid))) for _ in range(8)))

    streams: list[Any] = [bands(one.answer) for one in fetched]
    assert {len(stream[1]) for stream in streams} == {len(streams[0][1])}
    assert all(one.error is None for one in fetched)
    assert len(streams[0][1]) > 1_000_000
