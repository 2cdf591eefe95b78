"""How the daemon ends (daemon.md 2.5)."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from gitaly_py.pb.server_pb2 import ServerInfoRequest
from gitaly_py.pb.server_pb2_grpc import ServerServiceStub
from gitaly_py.pb.smarthttp_pb2 import PostUploadPackWithSidechannelRequest
from gitaly_py.transport.client import ClientSidechannel, MultiplexedConnection
from tests.daemon.conftest import NewDaemon
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.mux import read_all
from tests.support.plain_git import incoming
from tests.support.pushes import eventually, install
from tests.support.repositories import Repo
from tests.support.smarthttp import (
    arguments_of,
    begin_push,
    creation,
    fetch_with,
    git_processes,
    noisy,
    report,
    wants,
)


def messages(daemon: Daemon) -> list[str]:
    return [entry["msg"] for entry in daemon.log_entries()]


def left_behind(daemon: Daemon) -> list[str]:
    """What a stopped daemon must not leave."""
    return [str(path) for path in (daemon.socket, *(daemon.root / "run").iterdir()) if path.exists()]


async def waiting_push(daemon: Daemon, tmp_path: Path) -> tuple[Repo, str, Any]:
    """A push that waits in its hook for the file `go` in the repository."""
    repo = repository_in(daemon.storage)
    oid, body = creation(repo, Repo.init(tmp_path / "source"))
    script = "touch waiting; until [ -e go ]; do sleep 0.02; done"
    install(Path(repo.path, "custom_hooks/pre-receive"), script)
    call = begin_push(daemon.channel, repo, [body])
    await eventually(lambda: Path(repo.path, "waiting").exists())
    return repo, oid, call


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_an_idle_daemon_ends_at_once_though_clients_are_connected(
    new_daemon: NewDaemon, number: signal.Signals
) -> None:
    daemon = new_daemon().start()
    await HealthStub(daemon.channel).Check(HealthCheckRequest())
    async with await MultiplexedConnection.dial(f"unix:{daemon.socket}") as connection:
        await HealthStub(connection.channel()).Check(HealthCheckRequest())

        daemon.send(number)

        assert await asyncio.to_thread(daemon.wait) == 0
        await connection.wait_closed()
    assert left_behind(daemon) == []
    assert messages(daemon)[-2:] == ["[shutdown] stopping Gitaly", "Gitaly shutdown"]


async def test_a_running_push_is_finished_while_nothing_new_is_taken(
    new_daemon: NewDaemon, tmp_path: Path
) -> None:
    daemon = new_daemon(grace="30s").start()
    repo, oid, call = await waiting_push(daemon, tmp_path)
    internal = f"unix:{daemon.root}/run/gitaly-{daemon.pid}/sock.d/intern"

    daemon.send(signal.SIGTERM)
    await eventually(lambda: "[shutdown] stopping Gitaly" in messages(daemon))
    refused = await fails(daemon)
    async with grpc.aio.insecure_channel(internal) as channel:
        info: Any = await ServerServiceStub(channel).ServerInfo(ServerInfoRequest())
    Path(repo.path, "go").touch()
    answer = b"".join([message.data async for message in call])

    assert refused
    assert info.server_version
    assert report(answer) == ["unpack ok", "ok refs/heads/main"]
    assert await asyncio.to_thread(daemon.wait) == 0
    assert repo.references() == {b"refs/heads/main": oid}
    assert (left_behind(daemon), incoming(repo)) == ([], [])


async def fails(daemon: Daemon) -> bool:
    """Whether a new connection is refused."""
    try:
        await asyncio.open_unix_connection(str(daemon.socket))
    except OSError:
        return True
    return False


async def test_a_running_fetch_is_finished(new_daemon: NewDaemon) -> None:
    daemon = new_daemon(grace="30s").start()
    repo = repository_in(daemon.storage)
    oid = noisy(repo, 3_000_000)
    go_on = asyncio.Event()

    async def pause(channel: ClientSidechannel) -> bytes:
        await channel.write(wants(oid))
        await channel.close_write()
        start = await channel.read(1000)
        await go_on.wait()
        return start + await read_all(channel)

    async with await MultiplexedConnection.dial(f"unix:{daemon.socket}") as connection:
        request = PostUploadPackWithSidechannelRequest(repository=repo.message)
        fetching = asyncio.ensure_future(fetch_with(connection, request, pause))
        await eventually(lambda: bool(git_processes(daemon, repo)))
        daemon.send(signal.SIGTERM)
        await eventually(lambda: "[shutdown] stopping Gitaly" in messages(daemon))
        go_on.set()
        fetched = await fetching

    assert fetched.error is None
    assert len(fetched.answer) > 3_000_000
    assert await asyncio.to_thread(daemon.wait) == 0


async def cut(daemon: Daemon, tmp_path: Path, *signals: signal.Signals) -> str:
    """Ends the daemon while a push waits, which must be cut cleanly; the reason in the log."""
    repo, _, call = await waiting_push(daemon, tmp_path)
    children = daemon.children()
    for number in signals:
        daemon.send(number)
        await eventually(lambda: "[shutdown] stopping Gitaly" in messages(daemon))

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call.read()
    assert await asyncio.to_thread(daemon.wait) == 1
    assert raised.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    assert [child for child in children if arguments_of(child)] == []
    assert (repo.references(), incoming(repo), left_behind(daemon)) == ({}, [], [])
    (reason,) = (
        entry["error"] for entry in daemon.log_entries() if entry["msg"] == "unclean Gitaly shutdown"
    )
    return str(reason)


async def test_calls_that_outlast_the_grace_period_are_cut(new_daemon: NewDaemon, tmp_path: Path) -> None:
    daemon = new_daemon(grace="200ms").start()

    reason = await cut(daemon, tmp_path, signal.SIGTERM)

    assert reason == 'received signal "terminated": wait: grace period expired'


async def test_a_second_signal_cuts_calls_at_once(new_daemon: NewDaemon, tmp_path: Path) -> None:
    daemon = new_daemon(grace="10m").start()

    reason = await cut(daemon, tmp_path, signal.SIGINT, signal.SIGTERM)

    assert reason == 'received signal "interrupt": wait: force shutdown'
