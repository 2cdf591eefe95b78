"""`[[concurrency]]`: so many calls of an RPC for a repository, so many that wait (daemon.md 5.1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc.aio
import pytest
import pytest_asyncio
from grpc import StatusCode
from grpc_status import rpc_status

from gitaly_py.config.limits import Concurrency
from gitaly_py.interceptors.limits import SWITCH, RpcLimits
from gitaly_py.limits.making import Limiters
from gitaly_py.pb.errors_pb2 import LimitError
from gitaly_py.pb.smarthttp_pb2 import PostUploadPackRequest, PostUploadPackWithSidechannelRequest
from gitaly_py.pb.smarthttp_pb2_grpc import SmartHTTPServiceStub
from gitaly_py.rpc.methods import all_methods
from gitaly_py.transport.client import ClientSidechannel, MultiplexedConnection
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.metrics import free_port, scrape
from tests.support.repositories import Repo
from tests.support.smarthttp import Fetched, fetch_with, sending, wants

UNARY, STREAM = "PostUploadPackWithSidechannel", "PostUploadPack"
NO_TIME = "maximum time in concurrency queue reached"
NO_ROOM = "maximum queue size reached"
USER = ("username", "rosa")
PORT = free_port()
LIMITS = "".join(
    f"""
[[concurrency]]
rpc = "/gitaly.SmartHTTPService/{name}"
max_concurrency = 1
max_queue_size = 1
max_queue_wait = "300ms"
"""
    for name in (UNARY, STREAM)
)
NAMELESS = """
[concurrency.unauthenticated]
max_concurrency = 1
max_queue_size = 1
max_queue_wait = "1ms"
"""


@pytest_asyncio.fixture(scope="module")
async def limiting(tmp_path_factory: pytest.TempPathFactory, engine: str) -> AsyncIterator[Daemon]:
    started = Daemon(
        tmp_path_factory.mktemp("limits"),
        engine=engine,
        extra=f'prometheus_listen_addr = "127.0.0.1:{PORT}"',
        tables=LIMITS + NAMELESS,
    )
    started.start()
    yield started
    await started.close_channel()
    assert started.stop() == 0


@pytest_asyncio.fixture
async def client(limiting: Daemon) -> AsyncIterator[MultiplexedConnection]:
    async with await MultiplexedConnection.dial(f"unix:{limiting.socket}") as dialled:
        yield dialled


@pytest.fixture
def filled(limiting: Daemon) -> Repo:
    repo = repository_in(limiting.storage)
    repo.history(2, "refs/heads/main")
    return repo


def clone(repo: Repo) -> bytes:
    return wants(repo.git("rev-parse", "main"))


def request(repo: Repo) -> PostUploadPackWithSidechannelRequest:
    return PostUploadPackWithSidechannelRequest(repository=repo.message)


async def fetched(client: MultiplexedConnection, repo: Repo, *metadata: tuple[str, str]) -> Fetched:
    return await fetch_with(client, request(repo), sending(clone(repo)), *(metadata or (USER,)))


@asynccontextmanager
async def held(client: MultiplexedConnection, repo: Repo) -> AsyncIterator[None]:
    """A fetch that runs as long as the block: its client does not say what it wants."""
    begun, over = asyncio.Event(), asyncio.Event()

    async def talk(channel: ClientSidechannel) -> bytes:
        begun.set()
        await over.wait()
        return await sending(clone(repo))(channel)

    call = asyncio.ensure_future(fetch_with(client, request(repo), talk, USER))
    await begun.wait()
    try:
        yield
    finally:
        over.set()
        assert (await call).error is None


def is_refused(error: grpc.aio.AioRpcError | None, text: str) -> bool:
    assert error is not None
    (detail,) = rpc_status.from_call(error).details
    limit = LimitError()
    assert detail.Unpack(limit)
    assert limit.HasField("retry_after")
    assert limit.error_message == text
    return (error.code(), error.details()) == (StatusCode.RESOURCE_EXHAUSTED, text)


async def test_a_call_that_waits_too_long_is_refused_before_anything_is_opened(
    client: MultiplexedConnection, filled: Repo
) -> None:
    async with held(client, filled):
        refused = await fetched(client, filled)
    assert is_refused(refused.error, NO_TIME)
    assert refused.answer == b""
    assert (await fetched(client, filled)).error is None


async def test_a_call_that_finds_no_place_is_refused_at_once(
    client: MultiplexedConnection, filled: Repo
) -> None:
    async with held(client, filled):
        both = await asyncio.gather(fetched(client, filled), fetched(client, filled))
    texts = [each.error.details() for each in both if each.error is not None]
    assert sorted(map(str, texts)) == [NO_ROOM, NO_TIME]


async def test_a_waiting_call_goes_on_when_there_is_room(client: MultiplexedConnection, filled: Repo) -> None:
    async with held(client, filled):
        waiting = asyncio.ensure_future(fetched(client, filled))
        await asyncio.sleep(0.05)
    assert (await waiting).error is None


async def test_other_repositories_and_other_methods_are_not_held_up(
    client: MultiplexedConnection, limiting: Daemon, filled: Repo
) -> None:
    other = repository_in(limiting.storage)
    other.history(1, "refs/heads/main")
    async with held(client, filled):
        assert (await fetched(client, other)).error is None
        async with streaming(limiting, filled) as call:
            assert await call.read() is not grpc.aio.EOF


@asynccontextmanager
async def streaming(daemon: Daemon, repo: Repo, *, whole: bool = True) -> AsyncIterator[Any]:
    """A PostUploadPack that has said which repository it is about, and perhaps what it wants."""
    stub: Any = daemon.stub(SmartHTTPServiceStub)
    call = stub.PostUploadPack(metadata=[USER], timeout=60)
    await call.write(PostUploadPackRequest(repository=repo.message))
    if whole:
        await call.write(PostUploadPackRequest(data=clone(repo)))
    try:
        yield call
    finally:
        call.cancel()


async def test_a_stream_holds_its_slot_from_its_first_message_to_its_end(
    limiting: Daemon, filled: Repo
) -> None:
    async with streaming(limiting, filled, whole=False):
        await asyncio.sleep(0.1)
        async with streaming(limiting, filled) as other:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await other.read()
            trailers = dict(await other.trailing_metadata())
    assert is_refused(refused.value, NO_TIME)
    # Streams that are refused say what they have cost, other calls do not.
    assert trailers["x-gitaly-cost"]
    async with asyncio.timeout(20):
        while not await _answered(limiting, filled):
            await asyncio.sleep(0.01)


async def _answered(daemon: Daemon, repo: Repo) -> bool:
    """Whether a stream gets an answer now, and not a refusal."""
    async with streaming(daemon, repo) as call:
        with suppress(grpc.aio.AioRpcError):
            return await call.read() is not grpc.aio.EOF
    return False


async def test_a_unary_call_that_is_refused_has_no_cost(client: MultiplexedConnection, filled: Repo) -> None:
    async with held(client, filled):
        refused = await fetched(client, filled)
    assert refused.error is not None
    assert "x-gitaly-cost" not in dict(refused.error.trailing_metadata())


async def test_callers_without_a_name_have_a_limit_of_their_own(
    client: MultiplexedConnection, limiting: Daemon, filled: Repo
) -> None:
    async with streaming(limiting, filled, whole=False):
        await asyncio.sleep(0.1)
        stub: Any = limiting.stub(SmartHTTPServiceStub)
        nameless = stub.PostUploadPack(timeout=60)
        await nameless.write(PostUploadPackRequest(repository=filled.message))
        await nameless.write(PostUploadPackRequest(data=clone(filled)))
        await nameless.done_writing()
        assert await nameless.read() is not grpc.aio.EOF
        nameless.cancel()


async def test_limits_show_in_metrics_and_log(
    client: MultiplexedConnection, limiting: Daemon, filled: Repo
) -> None:
    labels = {"system": "gitaly", "grpc_service": "gitaly.SmartHTTPService", "grpc_method": UNARY}
    before = await scrape(PORT)
    async with held(client, filled):
        now = await scrape(PORT)
        assert now.value("gitaly_concurrency_limiting_in_progress", **labels) == 1
        assert (await fetched(client, filled)).error is not None
    after = await scrape(PORT)
    dropped = {**labels, "reason": "max_time", "authenticated": "true"}
    assert after.total("gitaly_requests_dropped_total", **dropped) == (
        before.total("gitaly_requests_dropped_total", **dropped) + 1
    )
    assert after.value("gitaly_concurrency_limiting_queued", **labels) == 0
    assert after.total("gitaly_concurrency_limiting_acquiring_seconds_count", **labels) > 0
    entry = await limiting.access_entry(
        UNARY, **{"grpc.request.repoPath": filled.message.relative_path, "grpc.code": "ResourceExhausted"}
    )
    assert entry["limit.limiting_type"] == "per-rpc"
    assert entry["limit.limiting_key"] == filled.message.relative_path
    assert entry["limit.concurrency_dropped"] == "max_time"
    assert entry["limit.authenticated"] == "true"
    assert entry["limit.concurrency_queue_ms"] >= 300


async def test_a_call_that_is_cancelled_in_line_is_logged_as_dropped(limiting: Daemon, filled: Repo) -> None:
    async with streaming(limiting, filled, whole=False):
        await asyncio.sleep(0.1)
        async with streaming(limiting, filled):
            await asyncio.sleep(0.1)

    place = {"limit.limiting_key": filled.message.relative_path, "limit.concurrency_dropped": "other"}
    entry = await limiting.access_entry("PostUploadPack", **place)
    assert entry["grpc.code"] == "Canceled"
    assert entry["limit.authenticated"] == "true"


async def test_checks_of_the_feature_flag_are_counted(client: MultiplexedConnection, filled: Repo) -> None:
    async def checks() -> dict[str, float]:
        found = await scrape(PORT)
        name, flag = "gitaly_feature_flag_checks_total", "limit_unauthenticated"
        return {value: found.total(name, flag=flag, enabled=value) for value in ("true", "false")}

    async def added(*metadata: tuple[str, str]) -> dict[str, float]:
        before = await checks()
        request = PostUploadPackWithSidechannelRequest(repository=filled.message)
        await fetch_with(client, request, sending(clone(filled)), *metadata)
        after = await checks()
        return {value: min(after[value] - before[value], 1) for value in after}

    assert await added() == {"true": 1, "false": 0}
    assert await added((SWITCH, "no")) == {"true": 0, "false": 1}
    assert await added(USER) == {"true": 0, "false": 0}


def test_the_last_of_several_entries_counts_and_the_rest_is_unlimited() -> None:
    path = f"/gitaly.SmartHTTPService/{UNARY}"
    limits = RpcLimits(
        [Concurrency(rpc=path, max_concurrency=1), Concurrency(rpc=path), Concurrency(rpc="x")], Limiters()
    )
    limited = [method.path for method in all_methods() if limits.of(method) is not None]
    assert limited == ["/gitaly.RepositoryService/ReplicateRepository"]
