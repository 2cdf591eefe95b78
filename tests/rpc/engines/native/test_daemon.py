"""The engine in a real daemon: its settings, the log lines of calls that are cut, and SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from grpc import StatusCode

from gitaly_py.pb.repository_pb2 import RepositoryExistsRequest, RepositoryExistsResponse
from gitaly_py.pb.smarthttp_pb2 import PostReceivePackRequest
from gitaly_py.rpc.http2.errors import ErrorCode
from gitaly_py.transport.client import MultiplexedConnection
from tests.support.certificates import self_signed
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.http2 import (
    ACK,
    GOAWAY,
    PING,
    Frame,
    continuation,
    data,
    goaway,
    headers,
    ping,
    priority,
    rst_stream,
    settings,
    window_update,
)
from tests.support.http2_client import Client, request_fields
from tests.support.metrics import Metrics, free_port, metrics_when, scrape
from tests.support.pushes import eventually
from tests.support.repositories import Repo
from tests.support.smarthttp import FLUSH, git_processes

EXISTS = "/gitaly.RepositoryService/RepositoryExists"
PUSH = "/gitaly.SmartHTTPService/PostReceivePack"
HOST = "localhost"
METRICS = free_port()
RPC = """
max_concurrent_streams = 5
max_header_list_size = 20000
max_continuation_frames = 8
max_message_size = 100000
max_frame_size = 20000
stream_window = 70000
connection_window = 140000
max_connection_memory = 300000
max_resets_per_second = 20
max_settings_per_second = 20
max_empty_frames_per_second = 20
max_ping_strikes = 1
preface_timeout = "1s"
stall_timeout = "1s"
"""


@pytest_asyncio.fixture(scope="module")
async def limited(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Daemon]:
    """A daemon with small limits."""
    extra = f'prometheus_listen_addr = "127.0.0.1:{METRICS}"\n'
    daemon = Daemon(tmp_path_factory.mktemp("limited"), engine="native", rpc=RPC, extra=extra).start()
    yield daemon
    assert daemon.stop() == 0


@pytest.fixture
def new_daemon(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Makes daemons, of which those that still run at the end are killed."""
    made: list[Daemon] = []

    def make(**options: Any) -> Daemon:
        made.append(Daemon(tmp_path_factory.mktemp("gitaly"), engine="native", **options))
        return made[-1].start()

    yield make
    for daemon in made:
        if daemon.runs:
            daemon.kill()


async def connect(daemon: Daemon, *, greet: bool = True, **options: Any) -> Client:
    client = Client(*await asyncio.open_unix_connection(str(daemon.socket), **options))
    if greet:
        client.greet()
    return client


async def exists(client: Client, repo: Repo, **fields: str) -> bool:
    request = RepositoryExistsRequest(repository=repo.message)
    reply = await client.call(EXISTS, request, fields=request_fields(EXISTS, **fields))
    assert reply.code is StatusCode.OK, reply
    return RepositoryExistsResponse.FromString(reply.messages[0]).exists


async def waiting_push(client: Client, daemon: Daemon, repo: Repo) -> int:
    """A call whose git waits for what the client has to say."""
    first = PostReceivePackRequest(repository=repo.message, gl_id="user-1", gl_repository="project-1")
    number = client.open(PUSH, first, end=False)
    await client.flush()
    await eventually(lambda: bool(git_processes(daemon, repo)))
    return number


def finish(client: Client, number: int) -> None:
    client.say(number, PostReceivePackRequest(data=FLUSH), end=True)


async def ended(daemon: Daemon, repo: Repo, code: str) -> dict[str, Any]:
    """The log line of a push that ended so, after which nothing of it is left."""
    path = repo.message.relative_path
    entry = await daemon.access_entry("PostReceivePack", **{"grpc.code": code, "grpc.request.repoPath": path})
    await eventually(lambda: not git_processes(daemon, repo))
    assert entry["msg"] == f"finished streaming call with code {code}"
    return entry


async def test_call_that_is_reset_is_logged_and_its_git_ends(limited: Daemon) -> None:
    repo = repository_in(limited.storage)
    async with await connect(limited) as client:
        number = await waiting_push(client, limited, repo)

        client.send(rst_stream(number))

        entry = await ended(limited, repo, "Canceled")
        assert entry["level"] == "info"
        assert await exists(client, repo)


async def test_call_whose_client_is_gone_is_logged_and_its_git_ends(limited: Daemon) -> None:
    repo = repository_in(limited.storage)
    client = await connect(limited)
    await waiting_push(client, limited, repo)

    await client.close()

    await ended(limited, repo, "Canceled")


async def test_call_whose_deadline_passes_is_logged_and_its_git_ends(limited: Daemon) -> None:
    repo = repository_in(limited.storage)
    async with await connect(limited) as client:
        first = PostReceivePackRequest(repository=repo.message, gl_id="user-1", gl_repository="project-1")
        number = client.open(PUSH, first, end=False, fields=request_fields(PUSH, grpc_timeout="500m"))

        reply = await client.reply(number)

        assert (reply.code, reply.text) == (StatusCode.DEADLINE_EXCEEDED, "context deadline exceeded")
        entry = await ended(limited, repo, "DeadlineExceeded")
        assert entry["level"] == "warning"
        assert entry["grpc.request.deadline"]


async def test_call_that_was_never_finished_is_one_line_in_the_log(limited: Daemon) -> None:
    repo = repository_in(limited.storage)
    async with await connect(limited) as client:
        number = await waiting_push(client, limited, repo)
        finish(client, number)

        assert (await client.reply(number)).code is StatusCode.OK
    await ended(limited, repo, "OK")
    path = repo.message.relative_path
    assert [entry for entry in limited.log_entries() if entry.get("grpc.request.repoPath") == path] == [
        await limited.access_entry("PostReceivePack", **{"grpc.request.repoPath": path})
    ]


async def test_very_long_timeout_is_logged_like_any_other(limited: Daemon) -> None:
    repo = repository_in(limited.storage)
    async with await connect(limited) as client:
        assert await exists(client, repo, grpc_timeout="99999999H")

    entry = await limited.access_entry(
        "RepositoryExists", **{"grpc.request.repoPath": repo.message.relative_path}
    )
    assert entry["grpc.request.deadline"]


def reset_rapidly(client: Client) -> None:
    for _ in range(42):
        number, frames = client.frames_of(EXISTS, RepositoryExistsRequest())
        client.send(*frames, rst_stream(number))


def without_end(client: Client) -> None:
    part = b"\x00\x01a\x01b"
    client.send(headers(1, request_fields(EXISTS), flags=0), *[continuation(1, part)] * 10)


FAULTS = {
    "too_many_resets": (ErrorCode.ENHANCE_YOUR_CALM, reset_rapidly),
    "too_many_settings": (ErrorCode.ENHANCE_YOUR_CALM, lambda client: client.send(*[settings()] * 42)),
    "too_many_empty_frames": (ErrorCode.ENHANCE_YOUR_CALM, lambda client: client.send(*[priority(1)] * 42)),
    "too_many_pings": (ErrorCode.ENHANCE_YOUR_CALM, lambda client: client.send(*[ping()] * 4)),
    "header_block_too_large": (ErrorCode.ENHANCE_YOUR_CALM, without_end),
    "frame_too_large": (
        ErrorCode.FRAME_SIZE_ERROR,
        lambda client: client.send(Frame(0, 0, 1, bytes(20_001))),
    ),
    "window_overflow": (
        ErrorCode.FLOW_CONTROL_ERROR,
        lambda client: client.send(window_update(0, 2**31 - 1)),
    ),
    "settings_not_acknowledged": (ErrorCode.SETTINGS_TIMEOUT, None),
}


async def test_limits_of_the_configuration_end_their_connections_only(limited: Daemon) -> None:
    repo = repository_in(limited.storage)
    before = counted(await scrape(METRICS))
    async with await connect(limited) as other:
        for reason, (code, act) in FAULTS.items():
            async with await connect(limited, greet=act is not None) as client:
                if act is None:
                    client.greet(ack=False)
                else:
                    await client.synchronized()
                    act(client)
                assert (await client.goaway())[1:] == (code, reason)
        assert await exists(other, repo)

    expected = [count + 1 for count in before]
    await metrics_when(METRICS, lambda found: counted(found) == expected)
    for reason, (code, _) in FAULTS.items():
        (entry,) = (
            entry for entry in limited.log_entries() if entry.get("error") == f"{code.name}: {reason}"
        )
        assert (entry["msg"], entry["level"]) == ("protocol violation", "warning")
        assert (entry["type"], entry["remote_address"]) == ("unix", "@")


def counted(found: Metrics) -> list[float]:
    name = "gitaly_rpc_connection_faults_total"
    return [found.value(name, reason=reason) or 0 for reason in FAULTS]


async def test_client_that_never_takes_its_answer_is_dropped(limited: Daemon) -> None:
    repo = repository_in(limited.storage)
    async with await connect(limited, greet=False) as client:
        client.greet({4: 0})
        client.open(EXISTS, RepositoryExistsRequest(repository=repo.message))

        assert (await client.goaway())[1:] == (ErrorCode.ENHANCE_YOUR_CALM, "stalled")


async def test_connections_that_say_nothing_or_too_little_are_dropped(limited: Daemon) -> None:
    async with await connect(limited, greet=False) as silent, await connect(limited, greet=False) as slow:
        slow.send(b"PRI")

        assert await silent.read_all() == []
        assert await slow.read_all() == []


async def test_limits_of_one_call(limited: Daemon) -> None:
    repo = repository_in(limited.storage)
    async with await connect(limited) as client:
        large = RepositoryExistsRequest(repository=repo.message)
        large.repository.gl_project_path = "x" * 100_000
        number, (head, _) = client.frames_of(EXISTS, b"")
        body = b"\0" + large.ByteSize().to_bytes(4) + large.SerializeToString()
        client.send(head, *(data(number, body[at : at + 20_000]) for at in range(0, 60_000, 20_000)))
        too_large = await client.reply(number)
        much = request_fields(EXISTS, *((f"key-{index}", "v" * 50) for index in range(300)))
        too_much = await client.call(EXISTS, b"", fields=much)
        numbers = [await waiting_push(client, limited, repo) for _ in range(5)]
        too_many = await client.call(EXISTS, b"")
        for number in numbers:
            client.send(rst_stream(number))

        assert too_large.code is StatusCode.RESOURCE_EXHAUSTED
        assert too_large.text == f"grpc: received message larger than max ({large.ByteSize()} vs. 100000)"
        assert too_much.code is StatusCode.RESOURCE_EXHAUSTED
        assert too_many.reset == ErrorCode.REFUSED_STREAM
        assert await exists(client, repo)


async def told(client: Client) -> None:
    """Reads both GOAWAY frames, as clients do: the ping between them is answered."""
    assert await client.until(GOAWAY) == goaway(2**31 - 1)
    client.send((await client.until(PING))._replace(flags=ACK))
    await client.until(GOAWAY)


@contextlib.asynccontextmanager
async def connections(daemon: Daemon, port: int, certificate: bytes) -> AsyncIterator[list[Client]]:
    """Three clients: plain, in TLS, and multiplexed in TLS."""
    context = ssl.create_default_context(cadata=certificate.decode())
    async with await MultiplexedConnection.dial(f"tls://{HOST}:{port}", ssl_context=context) as multiplexed:
        path = multiplexed.target.removeprefix("unix:")
        clients = [
            await connect(daemon),
            Client(*await asyncio.open_connection(HOST, port, ssl=context)),
            Client(*await asyncio.open_unix_connection(path)),
        ]
        for client in clients[1:]:
            client.greet()
        try:
            yield clients
        finally:
            for client in clients:
                await client.close()


async def test_calls_in_flight_finish_after_sigterm(
    new_daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    certificate, key = self_signed(HOST)
    (tmp_path / "certificate").write_bytes(certificate)
    (tmp_path / "key").write_bytes(key)
    port = free_port()
    tables = f'[tls]\ncertificate_path = "{tmp_path}/certificate"\nkey_path = "{tmp_path}/key"\n'
    extra = f'tls_listen_addr = "{HOST}:{port}"\n'
    daemon = new_daemon(extra=extra, tables=tables, grace="60s")
    repo = repository_in(daemon.storage)
    async with connections(daemon, port, certificate) as clients:
        numbers = [await waiting_push(client, daemon, repo) for client in clients]

        daemon.send(signal.SIGTERM)
        for client in clients:
            await told(client)
            refused = client.open(EXISTS, RepositoryExistsRequest(repository=repo.message))
        for client, number in zip(clients, numbers, strict=True):
            finish(client, number)
            assert (await client.reply(number)).code is StatusCode.OK
            await client.read_all()
            assert refused not in client.replies
            await client.close()

        assert await asyncio.to_thread(daemon.wait) == 0


async def test_call_that_outlasts_the_grace_period_is_cut(new_daemon: Callable[..., Daemon]) -> None:
    daemon = new_daemon(grace="500ms")
    repo = repository_in(daemon.storage)
    async with await connect(daemon) as client:
        number = await waiting_push(client, daemon, repo)

        daemon.send(signal.SIGTERM)

        await client.read_all()
        assert number not in client.replies
        assert await asyncio.to_thread(daemon.wait) == 1
    await ended(daemon, repo, "Canceled")
