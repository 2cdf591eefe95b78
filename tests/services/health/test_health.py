from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import pytest
import pytest_asyncio
from grpc import StatusCode
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from gitaly_py.transport.client import MultiplexedConnection
from tests.support.daemon import Daemon
from tests.support.status import refused

SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING


@pytest_asyncio.fixture(scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory, engine: str) -> AsyncIterator[Daemon]:
    """A daemon that demands a token; the last test stops it."""
    started = Daemon(tmp_path_factory.mktemp("guarded"), engine=engine, token="s3cret").start()
    yield started
    await started.close_channel()
    started.stop()


def health(channel: grpc.aio.Channel) -> Any:
    return HealthStub(channel)


@pytest.mark.parametrize("name", ["", "gitaly.CommitService", "gitaly.SmartHTTPService"])
async def test_the_daemon_and_its_services_serve(daemon: Daemon, name: str) -> None:
    response = await health(daemon.channel).Check(HealthCheckRequest(service=name))

    assert response == HealthCheckResponse(status=SERVING)


async def test_a_service_that_is_not_there_is_not_found(daemon: Daemon) -> None:
    async with refused(StatusCode.NOT_FOUND, "unknown service"):
        await health(daemon.channel).Check(HealthCheckRequest(service="gitaly.NoService"))


async def test_a_watch_begins_with_the_state_of_now(daemon: Daemon) -> None:
    for name, status in (("", SERVING), ("gitaly.NoService", HealthCheckResponse.SERVICE_UNKNOWN)):
        watching = health(daemon.channel).Watch(HealthCheckRequest(service=name))

        assert (await watching.read()).status == status
        watching.cancel()


@pytest.mark.parametrize("metadata", [[], [("authorization", "Bearer nonsense")]], ids=["none", "wrong"])
async def test_no_token_is_needed(guarded: Daemon, metadata: list[tuple[str, str]]) -> None:
    watching = health(guarded.channel).Watch(HealthCheckRequest(), metadata=metadata)

    assert (await health(guarded.channel).Check(HealthCheckRequest(), metadata=metadata)).status == SERVING
    assert (await watching.read()).status == SERVING
    watching.cancel()


async def test_multiplexed_connections_are_served_too(daemon: Daemon) -> None:
    async with await MultiplexedConnection.dial(f"unix:{daemon.socket}") as connection:
        assert (await health(connection.channel()).Check(HealthCheckRequest())).status == SERVING


async def test_checks_are_not_logged_but_watches_are(daemon: Daemon) -> None:
    async with refused(StatusCode.NOT_FOUND, "unknown service"):
        await health(daemon.channel).Check(HealthCheckRequest(service="logged?"))
    watching = health(daemon.channel).Watch(HealthCheckRequest())
    await watching.read()
    watching.cancel()

    entry = await daemon.access_entry("Watch", **{"grpc.service": "grpc.health.v1.Health"})
    assert entry["grpc.code"] == "Canceled"
    assert not [entry for entry in daemon.log_entries() if entry.get("grpc.method") == "Check"]


async def test_whoever_watches_is_told_of_the_stop_and_does_not_hold_it_up(guarded: Daemon) -> None:
    watching = health(guarded.channel).Watch(HealthCheckRequest())
    unknown = health(guarded.channel).Watch(HealthCheckRequest(service="gitaly.NoService"))
    first = await watching.read()
    assert (await unknown.read()).status == HealthCheckResponse.SERVICE_UNKNOWN

    exiting = asyncio.ensure_future(asyncio.to_thread(guarded.stop))
    second, third = await watching.read(), await watching.read()

    assert (first.status, second.status, third) == (SERVING, NOT_SERVING, grpc.aio.EOF)
    assert await unknown.read() is grpc.aio.EOF
    assert await exiting == 0
