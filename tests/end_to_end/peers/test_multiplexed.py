"""grpcio on the first stream of a multiplexed connection, with side channels beside it."""

from __future__ import annotations

import asyncio
import os
import ssl
import uuid
from pathlib import Path

import grpc.aio
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from gitaly_py.pb.smarthttp_pb2 import PostUploadPackWithSidechannelRequest
from gitaly_py.transport.client import MultiplexedConnection
from tests.support.calls import blob, found, health, pushed, stub
from tests.support.peers import KINDS, Served
from tests.support.repositories import Repo
from tests.support.smarthttp import creation, fetch_with, sending, stored_blob, wants

MIB = 1 << 20
ANY = HealthCheckRequest()
SERVING = HealthCheckResponse.SERVING
SMALL_WINDOWS = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 1024)]


@pytest.fixture
def repo(served: Served) -> Repo:
    return served.repo()


async def dial(served: Served, kind: str) -> MultiplexedConnection:
    context = ssl.create_default_context(cafile=str(served.certificate))
    scheme = "" if kind == "unix" else f"{kind}://"
    return await MultiplexedConnection.dial(scheme + served.target(kind), ssl_context=context)


async def fetched(connection: MultiplexedConnection, repo: Repo, oid: str) -> int:
    """The size of a pack that comes over a side channel."""
    request = PostUploadPackWithSidechannelRequest(repository=repo.message)
    fetch = await fetch_with(connection, request, sending(wants(oid)))
    assert fetch.error is None
    return len(fetch.answer)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [[], SMALL_WINDOWS], ids=["usual", "small"])
async def test_calls_and_side_channels_share_a_connection(
    served: Served, repo: Repo, tmp_path: Path, kind: str, options: list[tuple[str, int]]
) -> None:
    oid, body = creation(repo, Repo.init(tmp_path / "source"), noise=3 * MIB)
    data = os.urandom(2 * MIB)
    other = stored_blob(repo, data)
    async with await dial(served, kind) as connection:
        channel = connection.channel(options)
        assert await pushed(channel, repo, body) == ["unpack ok", "ok refs/heads/main"]
        packs, blobs, commits = await asyncio.gather(
            asyncio.gather(*(fetched(connection, repo, oid) for _ in range(3))),
            asyncio.gather(*(blob(channel, repo, other) for _ in range(3))),
            asyncio.gather(*(found(channel, repo) for _ in range(100))),
        )

    assert min(packs) > 3 * MIB
    assert (set(blobs), set(commits)) == ({data}, {oid})


async def test_a_cancelled_call_leaves_the_connection_to_the_others(served: Served, repo: Repo) -> None:
    oid = repo.commit("x\n", {"file": os.urandom(MIB)}, ref="refs/heads/main")
    async with await dial(served, "unix") as connection:
        channel = connection.channel()
        watching = [stub(HealthStub, channel).Watch(ANY) for _ in range(20)]
        for each in watching:
            assert (await each.read()).status == SERVING
        for each in watching[1:]:
            each.cancel()

        assert await fetched(connection, repo, oid) > MIB
        assert await health(channel) == SERVING
        assert not watching[0].done()


async def test_calls_end_with_the_connection_that_carries_them(served: Served) -> None:
    correlation = uuid.uuid4().hex
    async with await dial(served, "tcp") as connection:
        watching = stub(HealthStub, connection.channel()).Watch(
            ANY, metadata=[("x-gitlab-correlation-id", correlation)]
        )
        assert (await watching.read()).status == SERVING
        connection._session.abort("test")
        with pytest.raises(grpc.aio.AioRpcError):
            await watching.read()

    entry = await served.daemon.access_entry("Watch", correlation_id=correlation)
    assert entry["grpc.code"] == "Canceled"
