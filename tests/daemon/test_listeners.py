"""Every listener serves every kind of client at once (transport.md 12.1)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import pytest
import pytest_asyncio
from grpc import StatusCode
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from gitaly_py.pb.smarthttp_pb2 import InfoRefsRequest, PostUploadPackWithSidechannelRequest
from gitaly_py.pb.smarthttp_pb2_grpc import SmartHTTPServiceStub
from gitaly_py.transport.client import MultiplexedConnection
from tests.support.certificates import self_signed
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.metrics import free_port, metrics_when, scrape
from tests.support.repositories import Repo
from tests.support.smarthttp import fetch_with, noisy, sending, wants
from tests.support.status import collect, refused

HOST = "localhost"
CERTIFICATE, KEY = self_signed(HOST)
TCP, TLS, PROMETHEUS = free_port(), free_port(), free_port()
KINDS = ["unix", "tcp", "tls"]


@pytest_asyncio.fixture(scope="module")
async def listening(tmp_path_factory: pytest.TempPathFactory, engine: str) -> AsyncIterator[Daemon]:
    """A daemon on a unix socket, TCP and TLS."""
    root = tmp_path_factory.mktemp("listening")
    (root / "certificate").write_bytes(CERTIFICATE)
    (root / "key").write_bytes(KEY)
    extra = (
        f'listen_addr = "{HOST}:{TCP}"\ntls_listen_addr = "{HOST}:{TLS}"\n'
        f'prometheus_listen_addr = "127.0.0.1:{PROMETHEUS}"\n'
    )
    tables = (
        f'[tls]\ncertificate_path = "{root}/certificate"\nkey_path = "{root}/key"\nmin_version = "TLS 1.3"\n'
    )
    started = Daemon(root, engine=engine, extra=extra, tables=tables).start()
    yield started
    await started.close_channel()
    assert started.stop() == 0


@pytest.fixture(scope="module")
def repo(listening: Daemon) -> Repo:
    made = repository_in(listening.storage)
    noisy(made, 700_000)
    return made


def address(daemon: Daemon, kind: str) -> str:
    return {"unix": f"unix:{daemon.socket}", "tcp": f"tcp://{HOST}:{TCP}", "tls": f"tls://{HOST}:{TLS}"}[kind]


def plain(daemon: Daemon, kind: str) -> grpc.aio.Channel:
    options = [("grpc.use_local_subchannel_pool", 1)]
    if kind == "tls":
        credentials = grpc.ssl_channel_credentials(CERTIFICATE)
        return grpc.aio.secure_channel(f"{HOST}:{TLS}", credentials, options)
    return grpc.aio.insecure_channel(address(daemon, kind).removeprefix("tcp://"), options)


async def dial(daemon: Daemon, kind: str) -> MultiplexedConnection:
    context = ssl.create_default_context(cadata=CERTIFICATE.decode())
    return await MultiplexedConnection.dial(address(daemon, kind), ssl_context=context)


async def serves(channel: grpc.aio.Channel, repo: Repo) -> bool:
    """Health, and a stream of some size."""
    response = await HealthStub(channel).Check(HealthCheckRequest(), timeout=30)
    stub: Any = SmartHTTPServiceStub(channel)  # type: ignore[no-untyped-call]
    advertised = await collect(stub.InfoRefsUploadPack(InfoRefsRequest(repository=repo.message), timeout=30))
    return response.status == HealthCheckResponse.SERVING and len(advertised) >= 3


async def plain_client(daemon: Daemon, kind: str, repo: Repo) -> bool:
    async with plain(daemon, kind) as channel:
        return await serves(channel, repo)


async def multiplexed_client(daemon: Daemon, kind: str, repo: Repo) -> bool:
    request = PostUploadPackWithSidechannelRequest(repository=repo.message)
    body = wants(repo.git("rev-parse", "main"))
    async with await dial(daemon, kind) as connection:
        fetched, served = await asyncio.gather(
            fetch_with(connection, request, sending(body)), serves(connection.channel(), repo)
        )
    return served and fetched.error is None and len(fetched.answer) > 700_000


async def test_plain_and_multiplexed_clients_are_served_at_once(listening: Daemon, repo: Repo) -> None:
    clients = [
        client(listening, kind, repo) for kind in KINDS for client in (plain_client, multiplexed_client) * 3
    ]

    assert await asyncio.gather(*clients) == [True] * len(clients)


async def test_connections_are_counted_by_kind(listening: Daemon, repo: Repo) -> None:
    before = await scrape(PROMETHEUS)

    for kind, times in (("unix", 1), ("tcp", 2), ("tls", 3)):
        for _ in range(times):
            assert await plain_client(listening, kind, repo)

    def counted(metrics: Any) -> list[float]:
        return [
            (metrics.value("gitaly_connections_total", type=kind) or 0)
            - (before.value("gitaly_connections_total", type=kind) or 0)
            for kind in KINDS
        ]

    assert counted(await metrics_when(PROMETHEUS, lambda metrics: counted(metrics)[2] == 3)) == [1, 2, 3]


async def test_an_old_tls_version_is_refused(listening: Daemon) -> None:
    context = ssl.create_default_context(cadata=CERTIFICATE.decode())
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    with pytest.raises(ssl.SSLError):
        await asyncio.open_connection(HOST, TLS, ssl=context)


@pytest.mark.parametrize("alpn", [None, ["h2"], ["http/1.1"]], ids=str)
async def test_alpn_is_offered_and_not_demanded(listening: Daemon, alpn: list[str] | None) -> None:
    context = ssl.create_default_context(cadata=CERTIFICATE.decode())
    if alpn:
        context.set_alpn_protocols(alpn)

    _, writer = await asyncio.open_connection(HOST, TLS, ssl=context)

    chosen = writer.get_extra_info("ssl_object").selected_alpn_protocol()
    assert chosen == ("h2" if alpn == ["h2"] else None)
    writer.close()
    await writer.wait_closed()


def test_listeners_are_logged(listening: Daemon) -> None:
    logged = {
        entry["schema"]: entry["address"]
        for entry in listening.log_entries()
        if entry["msg"] == "listening at address"
    }

    assert set(logged) == set(KINDS)
    assert logged["unix"] == str(listening.socket)
    assert logged["tcp"].endswith(f":{TCP}")
    assert logged["tls"].endswith(f":{TLS}")


async def test_what_speaks_neither_protocol_hurts_nobody(listening: Daemon, repo: Repo) -> None:
    for first in (b"", b"GET / HTTP/1.1\r\n\r\n", b"backchannel" + bytes(range(64)), b"PRI * HTTP/9.9\r\n"):
        reader, writer = await asyncio.open_unix_connection(str(listening.socket))
        writer.write(first)
        writer.write_eof()
        await asyncio.wait_for(reader.read(), 30)
        writer.close()

    assert await plain_client(listening, "unix", repo)


async def test_a_request_over_four_mebibytes_is_refused(listening: Daemon, repo: Repo) -> None:
    big = InfoRefsRequest(repository=repo.message, git_config_options=["a.b=" + "x" * (4 << 20)])
    async with plain(listening, "tcp") as channel:
        stub: Any = SmartHTTPServiceStub(channel)  # type: ignore[no-untyped-call]

        async with refused(StatusCode.RESOURCE_EXHAUSTED):
            await collect(stub.InfoRefsUploadPack(big, timeout=30))


async def test_much_metadata_is_taken(listening: Daemon, repo: Repo) -> None:
    flags = [(f"gitaly-feature-flag-number-{n}", "true") for n in range(1000)]
    async with plain(listening, "tls") as channel:
        stub: Any = SmartHTTPServiceStub(channel)  # type: ignore[no-untyped-call]
        request = InfoRefsRequest(repository=repo.message)

        assert await collect(stub.InfoRefsUploadPack(request, metadata=flags, timeout=30))
