"""grpcio's client, threads and asyncio: much at once, and large messages."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import grpc.aio
import pytest
from grpc import StatusCode
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from gitaly_py.pb.blob_pb2 import GetBlobRequest
from gitaly_py.pb.blob_pb2_grpc import BlobServiceStub
from gitaly_py.pb.commit_pb2 import FindCommitRequest
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from gitaly_py.pb.ref_pb2 import UpdateReferencesRequest
from gitaly_py.pb.ref_pb2_grpc import RefServiceStub
from tests.support.calls import blob, found, health, pushed, stub
from tests.support.peers import KINDS, Options, Served
from tests.support.repositories import Repo
from tests.support.smarthttp import creation, stored_blob
from tests.support.status import refused

MIB = 1 << 20
SERVING = HealthCheckResponse.SERVING
ANY = HealthCheckRequest()
TAKEN = ["unpack ok", "ok refs/heads/main"]
OPTIONS: dict[str, Options] = {
    "small": [
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", 1024),
        ("grpc.http2.max_frame_size", 16384),
        ("grpc.http2.hpack_table_size.decoder", 0),
        ("grpc.http2.hpack_table_size.encoder", 0),
        ("grpc.http2.write_buffer_size", 512),
    ],
    "large": [
        ("grpc.http2.lookahead_bytes", 64 * MIB),
        ("grpc.http2.max_frame_size", 16 * MIB - 1),
        ("grpc.http2.hpack_table_size.decoder", MIB),
        ("grpc.http2.hpack_table_size.encoder", MIB),
        ("grpc.http2.write_buffer_size", 8 * MIB),
    ],
}


@pytest.fixture
def repo(served: Served) -> Repo:
    return served.repo()


@pytest.mark.parametrize("kind", KINDS)
async def test_many_callers_share_a_connection(served: Served, repo: Repo, kind: str) -> None:
    data = os.urandom(300_000)
    large = stored_blob(repo, data)
    oid = repo.commit("x\n", {"file": ("100644", large)}, ref="refs/heads/main")

    async with served.channel(kind) as channel:
        commits, blobs = await asyncio.gather(
            asyncio.gather(*(found(channel, repo) for _ in range(100))),
            asyncio.gather(*(blob(channel, repo, large) for _ in range(20))),
        )

    assert (set(commits), set(blobs)) == ({oid}, {data})


@pytest.mark.parametrize("kind", KINDS)
async def test_threads_share_a_connection(served: Served, repo: Repo, kind: str) -> None:
    (oid,) = repo.history(1, "refs/heads/main")
    find = FindCommitRequest(repository=repo.message, revision=b"main")
    update = UpdateReferencesRequest(
        repository=repo.message,
        updates=[{"reference": b"refs/heads/\xff", "new_object_id": oid.encode()}],
    )

    def calls(channel: grpc.Channel) -> set[str]:
        commits, references = stub(CommitServiceStub, channel), stub(RefServiceStub, channel)
        with ThreadPoolExecutor(16) as threads:
            finding = [threads.submit(commits.FindCommit, find, timeout=60) for _ in range(100)]
            updating = threads.submit(references.UpdateReferences, iter([update]), timeout=60)
            watching = stub(HealthStub, channel).Watch(ANY)
            assert next(watching).status == SERVING
            watching.cancel()
            updating.result()
            return {each.result().commit.id for each in finding}

    with served.blocking_channel(kind) as channel:
        assert await asyncio.to_thread(calls, channel) == {oid}
    assert repo.references()[b"refs/heads/\xff"] == oid


async def test_a_thousand_streams_are_open_at_once(served: Served) -> None:
    async with served.channel("unix") as channel:
        watching = [stub(HealthStub, channel).Watch(ANY) for _ in range(1000)]

        assert {(await each.read()).status for each in watching} == {SERVING}
        assert await health(channel) == SERVING


async def test_who_does_not_read_a_stream_holds_up_no_other(served: Served, repo: Repo) -> None:
    data = os.urandom(16 * MIB)
    large = stored_blob(repo, data)
    async with served.channel("unix") as channel:
        request = GetBlobRequest(repository=repo.message, oid=large, limit=-1)
        stalled = stub(BlobServiceStub, channel).GetBlob(request)
        reading = aiter(stalled)
        first = await anext(reading)

        for _ in range(3):
            assert await blob(channel, repo, large) == data
        assert first.data + b"".join([message.data async for message in reading]) == data


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("windows", OPTIONS)
async def test_any_windows_and_tables_will_do(
    served: Served, repo: Repo, tmp_path: Path, kind: str, windows: str
) -> None:
    oid, body = creation(repo, Repo.init(tmp_path / "source"), noise=3 * MIB)
    flags = [(f"gitaly-feature-{windows}-{number}", "true") for number in range(200)]

    async with served.channel(kind, OPTIONS[windows]) as channel:
        assert await pushed(channel, repo, body, metadata=flags) == TAKEN
        answer = await blob(channel, repo, "main:file")
        commits = await asyncio.gather(*(found(channel, repo, metadata=flags) for _ in range(5)))

    assert len(answer) == 3 * MIB
    assert answer == repo.git_bytes("cat-file", "blob", "main:file")
    assert set(commits) == {oid}


async def test_a_message_of_several_mebibytes_passes_whole(served: Served, repo: Repo) -> None:
    subject = b"x" * 3 * MIB
    repo.commit(subject, ref="refs/heads/main")
    request = FindCommitRequest(repository=repo.message, revision=b"main")
    async with served.channel("tcp") as channel:
        commit = (await stub(CommitServiceStub, channel).FindCommit(request, timeout=60)).commit

    assert commit.subject == subject


async def test_clients_may_compress(served: Served, repo: Repo, tmp_path: Path) -> None:
    source = Repo.init(tmp_path / "source")
    oid, body = creation(repo, source, noise=MIB)
    async with served.channel("unix", compression=grpc.Compression.Gzip) as channel:
        assert await pushed(channel, repo, body[:1000], b"", body[1000:]) == TAKEN
        assert await found(channel, repo) == oid
        big = FindCommitRequest(repository=repo.message, revision=b"a" * 5 * MIB)
        async with refused(StatusCode.RESOURCE_EXHAUSTED):
            await stub(CommitServiceStub, channel).FindCommit(big, timeout=60)
