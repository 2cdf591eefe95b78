"""`[pack_objects_limiting]`: who makes packs is limited, who reads them is not (transport.md 7.6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Self

import pytest
import pytest_asyncio
from grpc import StatusCode
from grpc_status import rpc_status

from gitaly_py.pb.errors_pb2 import LimitError
from gitaly_py.pb.smarthttp_pb2 import PostUploadPackWithSidechannelRequest
from gitaly_py.transport.client import ClientSidechannel, MultiplexedConnection
from tests.support.fetches import (
    SIDE_BAND,
    Counted,
    FetchingDaemon,
    fetching,
    over_http,
    over_ssh,
    v2_fetch,
)
from tests.support.fixtures import repository_in
from tests.support.repositories import Repo
from tests.support.smarthttp import Fetched, fetch_with, noisy, wants

V2 = "version=2"
USER = (("remote_ip", "10.1.2.3"), ("username", "rosa"))
OTHER = (("remote_ip", "10.9.9.9:4711"), ("username", "rosa"))
LIMITS = """
[pack_objects_limiting]
max_concurrency = 1
max_queue_size = 1
max_queue_wait = "300ms"
"""
NO_TIME = "maximum time in concurrency queue reached"
NO_ROOM = "maximum queue size reached"


@pytest_asyncio.fixture(scope="module")
async def limiting(tmp_path_factory: pytest.TempPathFactory, engine: str) -> AsyncIterator[FetchingDaemon]:
    async with fetching(tmp_path_factory.mktemp("limiting"), engine, tables=LIMITS) as started:
        yield started


@pytest_asyncio.fixture
async def dialled(limiting: FetchingDaemon) -> AsyncIterator[MultiplexedConnection]:
    async with await limiting.connection() as connection:
        yield connection


class Holder:
    """A client that lets a pack be made and does not read it, so that its slot stays taken."""

    def __init__(self, daemon: FetchingDaemon) -> None:
        self.repo = repository_in(daemon.storage)
        self.oid = noisy(self.repo, 20_000_000)
        self._daemon = daemon
        self._may_read = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._connection = await self._daemon.connection()
        begun = asyncio.Event()

        async def talk(channel: ClientSidechannel) -> bytes:
            await channel.write(v2_fetch(f"want {self.oid}", "done"))
            await channel.close_write()
            await channel.read(1)
            begun.set()
            await self._may_read.wait()
            while await channel.read(262144):
                pass
            return b""

        request = PostUploadPackWithSidechannelRequest(repository=self.repo.message, git_protocol=V2)
        self._fetch = asyncio.ensure_future(fetch_with(self._connection, request, talk, *USER))
        await begun.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._may_read.set()
        assert (await self._fetch).error is None
        await self._connection.close()


@pytest_asyncio.fixture
async def holder(limiting: FetchingDaemon) -> AsyncIterator[Holder]:
    async with Holder(limiting) as held:
        yield held


@pytest.fixture
def wanted(limiting: FetchingDaemon) -> Repo:
    repo = repository_in(limiting.storage)
    repo.history(2, "refs/heads/main")
    return repo


def refused_with(fetched: Fetched, text: str) -> None:
    assert fetched.error is not None
    assert fetched.error.code() is StatusCode.RESOURCE_EXHAUSTED
    assert fetched.error.details() == f"running upload-pack: {text}"
    (detail,) = rpc_status.from_call(fetched.error).details
    limit = LimitError()
    assert detail.Unpack(limit)
    assert limit.error_message == text
    assert limit.HasField("retry_after")


async def test_who_waits_too_long_is_told_so_before_anything_else(
    dialled: MultiplexedConnection, holder: Holder, wanted: Repo
) -> None:
    body = v2_fetch(f"want {wanted.git('rev-parse', 'main')}", "done")

    http = await over_http(dialled, wanted, body, *USER, protocol=V2)
    ssh = await over_ssh(dialled, wanted, body, *USER, protocol=V2)

    refused_with(http, NO_TIME)
    assert http.answer == b""
    refused_with(ssh, NO_TIME)
    assert b"packfile" not in ssh.answer


async def test_who_finds_no_place_to_wait_is_refused_at_once(
    dialled: MultiplexedConnection, holder: Holder, limiting: FetchingDaemon
) -> None:
    fetches = []
    for _ in range(3):
        repo = repository_in(limiting.storage)
        body = v2_fetch(f"want {repo.history(1, 'refs/heads/main')[0]}", "done")
        fetches.append(over_http(dialled, repo, body, *USER, protocol=V2))
    errors = [fetched.error for fetched in await asyncio.gather(*fetches)]
    texts = sorted(error.details().removeprefix("running upload-pack: ") for error in errors if error)
    assert texts == [NO_ROOM, NO_ROOM, NO_TIME]


async def test_others_make_their_packs_meanwhile(
    dialled: MultiplexedConnection, holder: Holder, wanted: Repo
) -> None:
    body = v2_fetch(f"want {wanted.git('rev-parse', 'main')}", "done")
    assert (await over_http(dialled, wanted, body, *OTHER, protocol=V2)).error is None


async def test_a_pack_that_is_there_or_on_its_way_costs_no_slot(
    dialled: MultiplexedConnection, limiting: FetchingDaemon, wanted: Repo
) -> None:
    body = v2_fetch(f"want {wanted.git('rev-parse', 'main')}", "done")
    assert (await over_http(dialled, wanted, body, *USER, protocol=V2)).error is None
    async with Holder(limiting) as holder:
        assert (await over_http(dialled, wanted, body, *USER, protocol=V2)).error is None
        joined = v2_fetch(f"want {holder.oid}", "done")
        assert (await over_http(dialled, holder.repo, joined, *USER, protocol=V2)).error is None


async def test_a_fetch_that_passes_through_is_limited_by_its_hook(
    dialled: MultiplexedConnection, holder: Holder, wanted: Repo
) -> None:
    oid = wanted.git("rev-parse", "main")

    refused = await over_http(dialled, wanted, wants(oid), *USER)
    passed = await over_http(dialled, wanted, wants(oid), *OTHER)
    ssh = await over_ssh(dialled, wanted, wants(oid), *USER)

    assert refused.error is not None
    assert refused.error.code() is StatusCode.FAILED_PRECONDITION
    assert refused.error.details() == "running upload-pack: waiting for upload-pack: exit status 128"
    assert passed.error is None
    assert ssh.error is not None
    assert ssh.error.code() is StatusCode.INTERNAL


async def test_the_limit_shows_in_metrics_and_log(
    dialled: MultiplexedConnection, limiting: FetchingDaemon, wanted: Repo
) -> None:
    counted = Counted(limiting)
    await counted.begin()
    body = wants(wanted.git("rev-parse", "main"), capabilities=SIDE_BAND)
    async with Holder(limiting):
        now = await limiting.metrics()
        assert now.value("gitaly_pack_objects_in_progress", auth="authenticated") == 1
        await over_http(dialled, wanted, body, *USER)
    entry = await limiting.access_entry(
        "PostUploadPackWithSidechannel", **{"grpc.request.repoPath": wanted.message.relative_path}
    )
    assert entry["limit.limiting_type"] == "pack-objects"
    assert entry["limit.limiting_key"] == "10.1.2.3"
    assert entry["limit.concurrency_dropped"] == "max_time"
    assert (
        await counted.more("gitaly_pack_objects_dropped_total", auth="authenticated", reason="max_time") == 1
    )
