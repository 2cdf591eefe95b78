"""grpcio's client: how calls begin and end, and what they carry."""

from __future__ import annotations

import asyncio
import base64
import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import grpc.aio
import pytest
from grpc import StatusCode
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from gitaly_py.pb.ref_pb2 import UpdateReferencesRequest
from gitaly_py.pb.ref_pb2_grpc import RefServiceStub
from tests.support.calls import found, health, pushed, stub
from tests.support.daemon import Daemon
from tests.support.peers import Served
from tests.support.repositories import Repo
from tests.support.smarthttp import update
from tests.support.status import refused

SERVING = HealthCheckResponse.SERVING
ANY = HealthCheckRequest()


@pytest.fixture
def repo(served: Served) -> Repo:
    return served.repo()


async def test_a_stream_answers_while_it_is_asked(served: Served) -> None:
    async with served.channel("tcp") as channel:
        talking = stub(ServerReflectionStub, channel).ServerReflectionInfo()
        for name in ("gitaly.RefService", "grpc.health.v1.Health", "gitaly.RefService"):
            await talking.write(ServerReflectionRequest(file_containing_symbol=name))
            assert (await talking.read()).original_request.file_containing_symbol == name
        await talking.done_writing()

        assert await talking.read() is grpc.aio.EOF
        assert await talking.code() == StatusCode.OK


async def test_a_deadline_ends_a_call_on_both_sides(served: Served) -> None:
    async with served.channel("tcp") as channel:
        correlation = uuid.uuid4().hex
        watching = stub(HealthStub, channel).Watch(
            ANY, timeout=0.3, metadata=[("x-gitlab-correlation-id", correlation)]
        )
        assert (await watching.read()).status == SERVING
        async with refused(StatusCode.DEADLINE_EXCEEDED):
            await watching.read()

        entry = await served.daemon.access_entry("Watch", correlation_id=correlation)
        assert entry["grpc.code"] in ("DeadlineExceeded", "Canceled")
        assert await health(channel) == SERVING


async def test_cancelled_calls_end_and_their_connection_goes_on(served: Served) -> None:
    async with served.channel("tls") as channel:
        correlations = [uuid.uuid4().hex for _ in range(50)]
        watching = [
            stub(HealthStub, channel).Watch(ANY, metadata=[("x-gitlab-correlation-id", each)])
            for each in correlations
        ]
        for each in watching:
            await each.read()
            each.cancel()

        for correlation in correlations:
            entry = await served.daemon.access_entry("Watch", correlation_id=correlation)
            assert entry["grpc.code"] == "Canceled"
        assert await health(channel) == SERVING


async def test_a_call_cancelled_while_it_sends_changes_nothing(served: Served, repo: Repo) -> None:
    (oid,) = repo.history(1)

    async def requests() -> AsyncIterator[UpdateReferencesRequest]:
        change = UpdateReferencesRequest.Update(reference=b"refs/heads/x", new_object_id=oid.encode())
        yield UpdateReferencesRequest(repository=repo.message, updates=[change])
        await asyncio.Event().wait()

    async with served.channel("unix") as channel:
        correlation = uuid.uuid4().hex
        updating = stub(RefServiceStub, channel).UpdateReferences(
            requests(), metadata=[("x-gitlab-correlation-id", correlation)]
        )
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(updating), 0.3)
        updating.cancel()

        await served.daemon.access_entry("UpdateReferences", correlation_id=correlation)
    assert repo.references() == {}


async def test_metadata_arrives_as_it_was_sent(served: Served, repo: Repo) -> None:
    (oid,) = repo.history(1, "refs/heads/main")
    correlation = uuid.uuid4().hex
    metadata = [
        ("x-gitlab-correlation-id", correlation),
        ("username", 'a, b; c="d" %41 ~'),
        ("user_id", "one"),
        ("user_id", "two"),
        ("client_name", "x" * 100_000),
        ("gitaly-feature-is-on", "true"),
        ("gitaly-feature-is-off", "false"),
    ]
    async with served.channel("tcp") as channel:
        for _ in range(2):
            assert await found(channel, repo, metadata=metadata) == oid

    entry = await served.daemon.access_entry("FindCommit", correlation_id=correlation)
    assert entry["username"] == 'a, b; c="d" %41 ~'
    assert "user_id" not in entry
    assert entry["grpc.meta.client_name"] == "x" * 100_000
    assert entry["feature_flags"] == "is_on"


@pytest.mark.parametrize("value", [b"\0", bytes(range(256)), os.urandom(10_000)], ids=len)
async def test_binary_metadata_arrives_as_it_was_sent(served: Served, repo: Repo, value: bytes) -> None:
    (oid,) = repo.history(1, "refs/heads/gone")
    body = update(oid, repo.format.zero_oid, "refs/heads/gone")
    async with served.channel("tcp") as channel:
        served.rails.requests.clear()
        await pushed(channel, repo, body, metadata=[("gitaly-client-context-bin", value)])

    (allowed,) = served.rails.asked("/allowed")
    assert base64.b64decode(allowed.body["gitaly_client_context_bin"]) == value


async def test_who_waits_for_a_daemon_is_served_when_it_starts(tmp_path: Path, engine: str) -> None:
    daemon = Daemon(tmp_path, engine=engine)
    options = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500)]
    async with grpc.aio.insecure_channel(f"unix:{daemon.socket}", options) as channel:
        for _ in range(2):
            asked = stub(HealthStub, channel).Check(ANY, wait_for_ready=True, timeout=60)
            await asyncio.to_thread(daemon.start)

            assert (await asked).status == SERVING
            assert await asyncio.to_thread(daemon.stop) == 0
