"""SIGHUP: another configuration without a refused or broken call (daemon.md 2.5; ours keeps its process)."""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from cryptography import x509

from gitaly_py.pb.server_pb2 import ServerInfoRequest
from gitaly_py.pb.server_pb2_grpc import ServerServiceStub
from tests.daemon.conftest import NewDaemon
from tests.daemon.test_workers import LIMITED, UNTIL_GO, connection, holding
from tests.support.certificates import self_signed
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.metrics import free_port, scrape
from tests.support.pushes import eventually, install
from tests.support.repositories import Repo
from tests.support.smarthttp import begin_push, creation

NO_SECRET = '[gitlab]\nurl = "http://localhost"\nsecret_file = "/nowhere/s"\n'


def change(daemon: Daemon, edit: Callable[[str], str]) -> None:
    """Writes another configuration. The storage that is gone by now is left out of it."""
    text = daemon.config.read_text()
    gone = f'[[storage]]\nname = "gone"\npath = "{daemon.root}/gone"\n'
    daemon.config.write_text(edit(text.replace(gone, "")))


def count(daemon: Daemon, message: str) -> int:
    return sum(entry["msg"] == message for entry in daemon.log_entries())


async def reload(daemon: Daemon, *, message: str = "configuration reloaded") -> None:
    """Sends the signal and waits until it has had its effect."""
    before = count(daemon, message)
    daemon.send(signal.SIGHUP)
    await eventually(lambda: count(daemon, message) > before)


@asynccontextmanager
async def steady_calls(daemon: Daemon) -> AsyncIterator[list[Exception | None]]:
    """Calls without a pause while the block runs: what became of each."""
    outcomes: list[Exception | None] = []
    stop = asyncio.Event()

    async def call_on() -> None:
        async with connection(daemon) as channel:
            while not stop.is_set():
                try:
                    await ServerServiceStub(channel).ServerInfo(ServerInfoRequest())
                    outcomes.append(None)
                except grpc.aio.AioRpcError as error:
                    outcomes.append(error)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(4):
            tasks.create_task(call_on())
        yield outcomes
        stop.set()


def failures(outcomes: list[Exception | None], engine: str) -> list[Exception]:
    """The calls that went wrong. grpcio's server ends one that arrives just as it begins to stop."""
    return [error for error in outcomes if error is not None and not (engine == "grpcio" and dropped(error))]


def dropped(error: Exception) -> bool:
    """Whether grpcio's server cancelled the call, or closed the connection under it, which is rare."""
    if not isinstance(error, grpc.aio.AioRpcError):
        return False
    if error.code() is grpc.StatusCode.CANCELLED:
        return True
    closed = "Debug Text: Server shutdown" in (error.details() or "")
    return closed and error.code() is grpc.StatusCode.UNAVAILABLE


async def test_new_workers_take_over_without_a_failed_call(new_daemon: NewDaemon, engine: str) -> None:
    daemon = new_daemon(workers=2).start()
    change(daemon, str)
    first = {each.pid for each in daemon.workers}

    async with steady_calls(daemon) as outcomes:
        for _ in range(3):
            await reload(daemon)

    assert len(outcomes) > 20
    assert failures(outcomes, engine) == []
    await eventually(lambda: len(daemon.workers) == 2)
    assert first.isdisjoint(each.pid for each in daemon.workers)
    assert daemon.stop() == 0
    assert list((daemon.root / "run").iterdir()) == []


async def test_a_call_of_the_old_configuration_finishes(new_daemon: NewDaemon, tmp_path: Path) -> None:
    daemon = new_daemon(grace="30s").start()
    change(daemon, str)
    old = daemon.worker.pid
    repo = repository_in(daemon.storage)
    install(Path(repo.path, "custom_hooks/pre-receive"), UNTIL_GO)
    oid, body = creation(repo, Repo.init(tmp_path / "source"))
    call = begin_push(daemon.channel, repo, [body])
    await eventually(lambda: Path(repo.path, "waiting").exists())

    await reload(daemon)
    assert old in {each.pid for each in daemon.workers}
    Path(repo.path, "go").touch()

    assert b"unpack ok" in b"".join([message.data async for message in call])
    assert oid in repo.references().values()
    await eventually(lambda: old not in {each.pid for each in daemon.workers})
    assert daemon.stop() == 0


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda text: "this is no toml" + text, "load toml"),
        (lambda text: text.replace('name = "other"', 'name = "default"'), "not unique"),
        (
            lambda text: text + '[gitlab]\nurl = "http://localhost"\nsecret_file = "/nowhere/s"\n',
            "/nowhere/s",
        ),
        (lambda text: 'tls_listen_addr = "127.0.0.1:0"\n' + text, "tls"),
        (lambda text: 'listen_addr = "198.51.100.1:1"\n' + text, "assign requested address"),
    ],
    ids=["syntax", "rule", "worker", "certificate", "address"],
)
async def test_a_configuration_that_cannot_be_used_changes_nothing(
    new_daemon: NewDaemon, edit: Callable[[str], str], reason: str
) -> None:
    port = free_port()
    daemon = new_daemon(extra=f'prometheus_listen_addr = "127.0.0.1:{port}"').start()
    worker = daemon.worker.pid
    good = daemon.config.read_text()
    change(daemon, edit)

    await reload(daemon, message="reload failed, nothing is changed")

    [entry] = [each for each in daemon.log_entries() if each["msg"] == "reload failed, nothing is changed"]
    assert reason in entry["error"]
    assert daemon.worker.pid == worker
    assert await ServerServiceStub(daemon.channel).ServerInfo(ServerInfoRequest())
    assert (await scrape(port)).value("gitaly_config_reload_failures_total") == 1
    daemon.config.write_text(good)
    change(daemon, str)
    await reload(daemon)
    await eventually(lambda: worker not in {each.pid for each in daemon.workers})
    assert daemon.stop() == 0


async def test_listeners_come_and_go(new_daemon: NewDaemon) -> None:
    old, new = free_port(), free_port()
    daemon = new_daemon(extra=f'listen_addr = "127.0.0.1:{old}"').start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{old}") as channel:
        assert await ServerServiceStub(channel).ServerInfo(ServerInfoRequest())
    change(daemon, lambda text: text.replace(f":{old}", f":{new}"))

    await reload(daemon)

    async with grpc.aio.insecure_channel(f"127.0.0.1:{new}") as channel:
        assert await ServerServiceStub(channel).ServerInfo(ServerInfoRequest())
    assert await ServerServiceStub(daemon.channel).ServerInfo(ServerInfoRequest())
    await eventually(lambda: len(daemon.workers) == 1)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", old)
    assert daemon.stop() == 0


async def test_a_new_certificate_is_served(new_daemon: NewDaemon, tmp_path: Path) -> None:
    port = free_port()
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"

    def renew() -> int:
        public, private = self_signed("localhost")
        certificate.write_bytes(public)
        key.write_bytes(private)
        return x509.load_pem_x509_certificate(public).serial_number

    def served() -> int:
        text = ssl.get_server_certificate(("127.0.0.1", port))
        return x509.load_pem_x509_certificate(text.encode()).serial_number

    first = renew()
    tls = f'[tls]\ncertificate_path = "{certificate}"\nkey_path = "{key}"\n'
    daemon = new_daemon(extra=f'tls_listen_addr = "127.0.0.1:{port}"', tables=tls).start()
    change(daemon, str)
    assert await asyncio.to_thread(served) == first
    second = renew()
    assert await asyncio.to_thread(served) == first

    await reload(daemon)

    await eventually(lambda: len(daemon.workers) == 1)
    assert await asyncio.to_thread(served) == second
    assert daemon.stop() == 0


async def test_a_limit_changes_for_calls_that_wait_already(new_daemon: NewDaemon) -> None:
    daemon = new_daemon(workers=2, tables=LIMITED, grace="20s").start()
    change(daemon, lambda text: text.replace("max_concurrency = 1", "max_concurrency = 2"))
    repo = repository_in(daemon.storage)
    repo.history(1, "refs/heads/main")
    async with connection(daemon) as channel:
        running: Any = await holding(channel, repo)
        assert (await running.read()).stdout
        waiting: Any = await holding(channel, repo)
        reading = asyncio.ensure_future(waiting.read())
        await asyncio.sleep(0.3)
        assert not reading.done()

        await reload(daemon)

        assert (await asyncio.wait_for(reading, 20)).stdout
        running.cancel()
        waiting.cancel()
    assert daemon.stop() == 0


async def test_a_signal_to_stop_ends_a_reload(new_daemon: NewDaemon) -> None:
    daemon = new_daemon(workers=2).start()
    change(daemon, str)

    daemon.send(signal.SIGHUP)
    await eventually(lambda: len(daemon.workers) > 2)
    daemon.send(signal.SIGTERM)

    assert await asyncio.to_thread(daemon.wait) == 0
    assert list((daemon.root / "run").iterdir()) == []
