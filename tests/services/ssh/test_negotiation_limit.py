"""The time a client may take to say what it wants: `[timeout]` of the configuration."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from grpc import StatusCode

from gitaly_py.pb.ssh_pb2 import SSHUploadPackWithSidechannelRequest
from gitaly_py.transport.client import ClientSidechannel, MultiplexedConnection
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.mux import read_all
from tests.support.pushes import eventually
from tests.support.repositories import Repo
from tests.support.smarthttp import DELIM, FLUSH, Fetched, Talk, git_processes, never, noisy, pkt, wants
from tests.support.ssh import answered, bands, begin, failure_of, fetch_over_ssh

LIMIT = 1.5
EXPIRED = "waiting for negotiation: context canceled"
TABLES = f"""[timeout]
upload_pack_negotiation = "{LIMIT}s"
upload_archive_negotiation = "{LIMIT}s"
"""


@pytest_asyncio.fixture(scope="module")
async def impatient(tmp_path_factory: pytest.TempPathFactory, engine: str) -> AsyncIterator[Daemon]:
    """A daemon that waits no longer than LIMIT."""
    started = Daemon(tmp_path_factory.mktemp("impatient"), engine=engine, tables=TABLES).start()
    yield started
    await started.close_channel()
    assert started.stop() == 0


@pytest.fixture
def repo(impatient: Daemon) -> Repo:
    return repository_in(impatient.storage)


async def fetch(daemon: Daemon, repo: Repo, talk: Talk, protocol: str = "") -> Fetched:
    request = SSHUploadPackWithSidechannelRequest(repository=repo.message, git_protocol=protocol)
    async with await MultiplexedConnection.dial(f"unix:{daemon.socket}") as connection:
        return await fetch_over_ssh(connection, request, talk)


@pytest.mark.parametrize("sent", [0, 20, -9], ids=["nothing", "a part", "all but the end"])
async def test_a_client_that_does_not_say_what_it_wants_is_cut_off(
    impatient: Daemon, repo: Repo, sent: int
) -> None:
    request = wants(repo.history(1, "refs/heads/main")[0])

    async def dawdle(channel: ClientSidechannel) -> bytes:
        await channel.write(request[:sent])
        return await read_all(channel)

    fetched = await fetch(impatient, repo, dawdle)

    assert failure_of(fetched) == (StatusCode.DEADLINE_EXCEEDED, f"running upload-pack: {EXPIRED}")
    assert bands(fetched.answer)[2] == b""
    assert git_processes(impatient, repo) == []


async def test_a_client_that_neither_asks_nor_reads_is_cut_off(impatient: Daemon, repo: Repo) -> None:
    oid = repo.history(1)[0]
    repo.git(
        "update-ref", "--stdin", stdin="".join(f"create refs/heads/{n:0100} {oid}\n" for n in range(20_000))
    )

    async def stall(channel: ClientSidechannel) -> bytes:
        await channel.read(1)
        await eventually(lambda: not git_processes(impatient, repo))
        return b""

    fetched = await fetch(impatient, repo, stall)

    assert failure_of(fetched)[0] is StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize("size", [1, 1000], ids=["bytes", "whole"])
@pytest.mark.parametrize("protocol", ["", "version=2"], ids=["v0", "v2"])
async def test_a_pack_may_take_longer(impatient: Daemon, repo: Repo, protocol: str, size: int) -> None:
    oid = noisy(repo, 8_000_000)
    v2 = pkt("command=fetch\n") + DELIM + pkt(f"want {oid}\n") + pkt("done\n") + FLUSH
    request = v2 if protocol else wants(oid)

    async def read_late(channel: ClientSidechannel) -> bytes:
        for start in range(0, len(request), size):
            await channel.write(request[start : start + size])
        await asyncio.sleep(LIMIT + 0.5)
        await channel.close_write()
        return await read_all(channel)

    fetched = await fetch(impatient, repo, read_late, protocol)

    assert fetched.error is None
    assert len(fetched.answer) > 8_000_000


async def test_what_is_no_packet_lifts_the_limit(impatient: Daemon, repo: Repo) -> None:
    oid = noisy(repo, 8_000_000)
    negotiation = wants(oid, done=False).removesuffix(FLUSH)

    async def hide_the_end(channel: ClientSidechannel) -> bytes:
        await channel.write(negotiation + b"0009done\n0003")
        await asyncio.sleep(LIMIT + 0.5)
        return await read_all(channel)

    fetched = await fetch(impatient, repo, hide_the_end)

    assert fetched.error is None
    assert len(fetched.answer) > 8_000_000


async def test_a_streaming_fetch_is_cut_off_with_exit_status_0(impatient: Daemon, repo: Repo) -> None:
    repo.history(1, "refs/heads/main")

    answer = await answered(begin(impatient.channel, "SSHUploadPack", repo, rest=never()))

    assert failure_of(answer) == (StatusCode.DEADLINE_EXCEEDED, f"running upload-pack: {EXPIRED}")
    assert answer.exit_statuses == [0]


async def test_an_archive_must_be_asked_for_in_time(impatient: Daemon, repo: Repo) -> None:
    repo.history(1, "refs/heads/main")

    answer = await answered(
        begin(impatient.channel, "SSHUploadArchive", repo, [pkt("argument HEAD\n")], rest=never())
    )

    assert failure_of(answer) == (StatusCode.DEADLINE_EXCEEDED, f"running upload-archive: {EXPIRED}")
    assert answer.exit_statuses == []
    assert git_processes(impatient, repo) == []


async def test_an_archive_that_was_asked_for_may_take_longer(impatient: Daemon, repo: Repo) -> None:
    noisy(repo, 8_000_000)
    request = pkt("argument --format=tar\n") + pkt("argument main\n") + FLUSH

    call = begin(impatient.channel, "SSHUploadArchive", repo, [request], rest=never())
    first = await call.read()
    await asyncio.sleep(LIMIT + 0.5)
    answer = await answered(call)

    assert (answer.error, answer.exit_statuses) == (None, [0])
    assert len(first.stdout) + len(answer.stdout) > 8_000_000
