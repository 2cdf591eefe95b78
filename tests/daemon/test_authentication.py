"""Tokens in a running daemon (daemon.md 3)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from grpc import StatusCode

from gitaly_py.interceptors.authentication import WINDOW_SECONDS
from gitaly_py.pb.repository_pb2 import RepositoryExistsRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from gitaly_py.pb.smarthttp_pb2 import PostUploadPackRequest
from gitaly_py.pb.smarthttp_pb2_grpc import SmartHTTPServiceStub
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.metrics import free_port, scrape
from tests.support.siege import bearer
from tests.support.smarthttp import wants
from tests.support.status import collect, refused

SECRET = "s3cret"
STATUSES = {"": "unauthenticated", "other": "denied", SECRET: "would be ok"}
"""What is counted for each secret of a client, the empty one standing for no token."""

LIMITED = """
[[concurrency]]
rpc = "/gitaly.SmartHTTPService/PostUploadPack"
max_concurrency = 1
"""


def token_of(secret: str, *, age: int = 0) -> list[tuple[str, str]]:
    return [("authorization", bearer(secret=secret, issued=time.time() - age))] if secret else []


async def ask(daemon: Daemon, metadata: list[tuple[str, str]]) -> bool:
    request = RepositoryExistsRequest(repository=repository_in(daemon.storage).message)
    answer = await daemon.stub(RepositoryServiceStub).RepositoryExists(request, metadata=metadata)
    return bool(answer.exists)


@pytest_asyncio.fixture(scope="module")
async def transitioning(
    tmp_path_factory: pytest.TempPathFactory, engine: str
) -> AsyncIterator[tuple[Daemon, int]]:
    """A daemon that looks at tokens and lets everyone pass, and the port of its metrics."""
    port = free_port()
    daemon = Daemon(
        tmp_path_factory.mktemp("transitioning"),
        engine=engine,
        extra=f'prometheus_listen_addr = "127.0.0.1:{port}"',
        tables=f'[auth]\ntoken = "{SECRET}"\ntransitioning = true',
    ).start()
    yield daemon, port
    await daemon.close_channel()
    assert daemon.stop() == 0


@pytest.mark.parametrize("secret", STATUSES, ids=STATUSES.values())
async def test_in_transition_every_request_passes_and_is_counted(
    transitioning: tuple[Daemon, int], secret: str
) -> None:
    daemon, port = transitioning
    labels = {"enforced": "false", "status": STATUSES[secret]}
    before = (await scrape(port)).value("gitaly_authentications_total", **labels) or 0

    assert await ask(daemon, token_of(secret))

    assert (await scrape(port)).value("gitaly_authentications_total", **labels) == before + 1
    warnings = [entry["msg"] for entry in daemon.log_entries() if entry["level"] == "warning"]
    assert "auth.transitioning is set: requests pass whatever their token" in warnings


async def test_unknown_methods_are_unimplemented_without_a_token(
    tmp_path_factory: pytest.TempPathFactory, engine: str
) -> None:
    daemon = Daemon(tmp_path_factory.mktemp("unknown"), engine=engine, token=SECRET).start()
    for path in ("/gitaly.RepositoryService/NoSuch", "/gitaly.NoService/NoSuch"):
        call = daemon.channel.unary_unary(path)
        async with refused(StatusCode.UNIMPLEMENTED):
            await call(b"")
    await daemon.close_channel()
    assert daemon.stop() == 0


async def test_a_token_may_expire_while_its_call_waits_for_its_turn(
    tmp_path_factory: pytest.TempPathFactory, engine: str
) -> None:
    daemon = Daemon(tmp_path_factory.mktemp("queue"), engine=engine, token=SECRET, tables=LIMITED).start()
    repo = repository_in(daemon.storage)
    oid = repo.commit("subject", ref="refs/heads/main")
    stub = daemon.stub(SmartHTTPServiceStub)
    first = stub.PostUploadPack(metadata=token_of(SECRET))
    await first.write(PostUploadPackRequest(repository=repo.message))
    await asyncio.sleep(0.5)

    waiting = stub.PostUploadPack(metadata=token_of(SECRET, age=WINDOW_SECONDS - 2))
    await waiting.write(PostUploadPackRequest(repository=repo.message))
    await waiting.write(PostUploadPackRequest(data=wants(oid)))
    await waiting.done_writing()
    await asyncio.sleep(3)
    late = stub.PostUploadPack(metadata=token_of(SECRET, age=WINDOW_SECONDS + 1))
    await late.done_writing()
    async with refused(StatusCode.PERMISSION_DENIED, "permission denied: token has expired"):
        await collect(late)
    first.cancel()

    assert b"PACK" in b"".join(message.data for message in await collect(waiting))
    await daemon.close_channel()
    assert daemon.stop() == 0


async def test_without_a_secret_every_request_passes_and_is_counted(
    tmp_path_factory: pytest.TempPathFactory, engine: str
) -> None:
    port = free_port()
    address = f'prometheus_listen_addr = "127.0.0.1:{port}"'
    daemon = Daemon(tmp_path_factory.mktemp("open"), engine=engine, extra=address).start()

    assert await ask(daemon, token_of("whatever"))

    found = await scrape(port)
    status = "server disabled authentication"
    assert found.value("gitaly_authentications_total", enforced="true", status=status) == 1
    await daemon.close_channel()
    assert daemon.stop() == 0
