"""Several processes that serve as one daemon."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import psutil
import pytest

from gitaly_py.pb.errors_pb2 import LimitError
from gitaly_py.pb.repository_pb2 import CreateRepositoryRequest, RemoveRepositoryRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from gitaly_py.pb.server_pb2 import ServerInfoRequest
from gitaly_py.pb.server_pb2_grpc import ServerServiceStub
from gitaly_py.pb.smarthttp_pb2 import PostUploadPackRequest
from gitaly_py.pb.smarthttp_pb2_grpc import SmartHTTPServiceStub
from gitaly_py.pb.ssh_pb2 import SSHUploadPackRequest
from gitaly_py.pb.ssh_pb2_grpc import SSHServiceStub
from tests.daemon.conftest import NewDaemon
from tests.support.daemon import Daemon, lives
from tests.support.fixtures import repository_in
from tests.support.metrics import Metrics, free_port, metrics_when, scrape
from tests.support.plain_git import incoming
from tests.support.pushes import eventually, install
from tests.support.repositories import Repo
from tests.support.smarthttp import arguments_of, begin_push, creation, wants
from tests.support.status import details_of

LIMITING = "gitaly_concurrency_limiting"
UNTIL_GO = "touch waiting; until [ -e go ]; do sleep 0.02; done"
HELD = "/gitaly.SSHService/SSHUploadPack"
PROBES = itertools.count(1)
LIMITED = f"""
[[concurrency]]
rpc = "{HELD}"
max_concurrency = 1
max_queue_size = 1
"""


@asynccontextmanager
async def connection(daemon: Daemon) -> AsyncIterator[grpc.aio.Channel]:
    """A connection of its own: channels to the same address share one otherwise."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(f"unix:{daemon.socket}", options=options) as channel:
        yield channel


async def asked(channel: grpc.aio.Channel, correlation_id: str = "") -> None:
    metadata = [("x-gitlab-correlation-id", correlation_id)] if correlation_id else None
    await ServerServiceStub(channel).ServerInfo(ServerInfoRequest(), metadata=metadata)


async def behind(daemon: Daemon, channel: grpc.aio.Channel, name: str) -> int:
    """The process id of the worker that serves a connection."""
    await asked(channel, name)
    entry = await daemon.access_entry("ServerInfo", correlation_id=name)
    return int(entry["pid"])


@asynccontextmanager
async def one_of_each(daemon: Daemon) -> AsyncIterator[dict[int, grpc.aio.Channel]]:
    """A connection to each of two workers, by its process id."""
    found: dict[int, grpc.aio.Channel] = {}
    async with AsyncExitStack() as connections:
        while len(found) < 2:
            channel = await connections.enter_async_context(connection(daemon))
            found[await behind(daemon, channel, f"probe-{next(PROBES)}")] = channel
        yield found


@contextmanager
def metrics_port(new_daemon: NewDaemon, **options: Any) -> Iterator[tuple[Daemon, int]]:
    port = free_port()
    extra = f'prometheus_listen_addr = "127.0.0.1:{port}"'
    yield new_daemon(workers=2, extra=extra, **options).start(), port


async def holding(channel: grpc.aio.Channel, repo: Repo) -> Any:
    """A call that holds its slot: it waits for what the client wants."""
    call = SSHServiceStub(channel).SSHUploadPack()
    await call.write(SSHUploadPackRequest(repository=repo.message))
    return call


async def test_connections_are_spread_evenly(new_daemon: NewDaemon) -> None:
    daemon = new_daemon(workers=2).start()
    served: dict[int, int] = dict.fromkeys((each.pid for each in daemon.workers), 0)
    assert len(served) == 2

    async with AsyncExitStack() as connections:
        for number in range(8):
            channel = await connections.enter_async_context(connection(daemon))
            served[await behind(daemon, channel, f"call-{number}")] += 1

    # A worker that is kept from running for a while has its connection taken by another.
    assert min(served.values()) >= 2
    assert daemon.stop() == 0


async def test_a_killed_worker_is_replaced_while_the_others_serve(new_daemon: NewDaemon) -> None:
    with metrics_port(new_daemon) as (daemon, port):
        async with one_of_each(daemon) as channels:
            victim, survivor = channels
            psutil.Process(victim).kill()
            for _ in range(20):
                await asked(channels[survivor])

            await metrics_when(port, lambda found: found.value("gitaly_workers", state="serving") == 2)
            after = await scrape(port)

        pids = {each.pid for each in daemon.workers}
        assert len(pids) == 2
        assert survivor in pids
        assert victim not in pids
        assert after.value("gitaly_worker_restarts_total") == 1
        [entry] = [entry for entry in daemon.log_entries() if entry["msg"] == "worker ended"]
        assert (entry["worker_pid"], entry["status"]) == (victim, "SIGKILL")
        assert daemon.stop() == 0


async def test_metrics_are_those_of_all_workers_and_of_former_ones(new_daemon: NewDaemon) -> None:
    labels = {
        "grpc_type": "unary",
        "grpc_service": "gitaly.ServerService",
        "grpc_method": "ServerInfo",
        "grpc_code": "OK",
    }
    with metrics_port(new_daemon) as (daemon, port):
        async with one_of_each(daemon) as channels:
            for channel in channels.values():
                for _ in range(3):
                    await asked(channel)
            calls = await all_counted(port, labels)
            assert calls >= 2 + 6
            found = await scrape(port)
            assert found.value("gitaly_connections_total", type="unix") == calls - 6
            assert found.total("gitlab_build_info") == 1
            victim = next(iter(channels))
            psutil.Process(victim).kill()
            await eventually(lambda: victim not in {each.pid for each in daemon.workers})

        # What the killed one has told before is not lost.
        found = await metrics_when(port, lambda found: found.value("gitaly_workers", state="serving") == 2)
        assert found.value("grpc_server_handled_total", **labels) == calls


async def all_counted(port: int, labels: dict[str, str]) -> float:
    """The number of calls, when as many have ended as have begun."""
    begun = {key: value for key, value in labels.items() if key != "grpc_code"}

    def ended(found: Metrics) -> bool:
        handled = found.value("grpc_server_handled_total", **labels)
        return handled == found.value("grpc_server_started_total", **begun)

    found = await metrics_when(port, ended)
    return found.value("grpc_server_handled_total", **labels) or 0


async def test_a_limit_holds_for_all_workers_together(new_daemon: NewDaemon) -> None:
    with metrics_port(new_daemon, tables=LIMITED) as (daemon, port):
        repo = repository_in(daemon.storage)
        repo.history(1, "refs/heads/main")
        async with one_of_each(daemon) as channels:
            first, second = channels.values()
            running = await holding(first, repo)
            await metrics_when(
                port, lambda found: found.total("gitaly_concurrency_limiting_in_progress") == 1
            )
            waiting = await holding(second, repo)
            await metrics_when(port, lambda found: found.total(f"{LIMITING}_queued") == 1)

            refused = await holding(second, repo)
            with pytest.raises(grpc.aio.AioRpcError, match="maximum queue size reached") as failure:
                await refused.read()
            assert failure.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            [detail] = details_of(failure.value)
            assert isinstance(detail, LimitError)

            assert not waiting.done()
            running.cancel()
            assert (await waiting.read()).stdout
            waiting.cancel()
            await metrics_when(
                port, lambda found: found.total("gitaly_concurrency_limiting_in_progress") == 0
            )
        entry = await daemon.access_entry("SSHUploadPack", **{"limit.concurrency_dropped": "max_size"})
        assert entry["limit.limiting_key"] == repo.message.relative_path


async def test_a_killed_worker_gives_its_slots_back(new_daemon: NewDaemon) -> None:
    daemon = new_daemon(workers=2, tables=LIMITED).start()
    repo = repository_in(daemon.storage)
    repo.history(1, "refs/heads/main")
    async with one_of_each(daemon) as channels:
        victim, survivor = channels
        held = await holding(channels[victim], repo)
        assert (await held.read()).stdout
        waiting = await holding(channels[survivor], repo)
        reading = asyncio.ensure_future(waiting.read())
        await asyncio.sleep(0.2)
        assert not reading.done()

        psutil.Process(victim).kill()

        assert (await asyncio.wait_for(reading, 20)).stdout
        waiting.cancel()


async def test_git_of_a_killed_worker_ends(new_daemon: NewDaemon, tmp_path: Path) -> None:
    daemon = new_daemon(workers=2).start()
    repo = repository_in(daemon.storage)
    install(Path(repo.path, "custom_hooks/pre-receive"), "touch waiting; while :; do sleep 0.05; done")
    _, body = creation(repo, Repo.init(tmp_path / "source"))
    async with one_of_each(daemon) as channels:
        worker, channel = next(iter(channels.items()))
        call = begin_push(channel, repo, [body])
        await eventually(lambda: Path(repo.path, "waiting").exists())

        psutil.Process(worker).kill()

        with pytest.raises(grpc.aio.AioRpcError):
            await call.read()
        await eventually(lambda: not of_repository(repo))
    assert len(list(incoming(repo))) <= 1
    assert daemon.stop() == 0


def of_repository(repo: Repo) -> list[psutil.Process]:
    """Processes that work on a repository, its custom hooks among them."""
    return [process for process in psutil.process_iter() if repo.path in " ".join(arguments_of(process))]


async def test_all_ends_with_a_killed_supervisor(new_daemon: NewDaemon, tmp_path: Path) -> None:
    daemon = new_daemon(workers=2).start()
    repo = repository_in(daemon.storage)
    install(Path(repo.path, "custom_hooks/pre-receive"), "touch waiting; while :; do sleep 0.05; done")
    _, body = creation(repo, Repo.init(tmp_path / "source"))
    async with connection(daemon) as channel:
        call = begin_push(channel, repo, [body])
        await eventually(lambda: Path(repo.path, "waiting").exists())
        children = psutil.Process(daemon.pid).children(recursive=True)
        assert len(children) > 4

        daemon.kill()
        since = time.monotonic()
        await eventually(lambda: not any(lives(each) for each in children))

        assert time.monotonic() - since < 15
        with pytest.raises(grpc.aio.AioRpcError):
            await call.read()


async def test_no_worker_serves_what_another_has_removed(new_daemon: NewDaemon) -> None:
    daemon = new_daemon(
        workers=2, tables="[pack_objects_cache]\nenabled = true\nmin_occurrences = 0\n"
    ).start()
    old = repository_in(daemon.storage)
    [commit] = old.history(1, "refs/heads/main")
    async with one_of_each(daemon) as channels:
        first, second = channels.values()
        assert b"PACK" in await fetched(first, old, commit)
        repositories: Any = RepositoryServiceStub(second)

        await repositories.RemoveRepository(RemoveRepositoryRequest(repository=old.message))
        await repositories.CreateRepository(CreateRepositoryRequest(repository=old.message))

        answer = await fetched(first, old, commit)
    assert b"PACK" not in answer
    assert b"ERR upload-pack: not our ref" in answer


async def fetched(channel: grpc.aio.Channel, repo: Repo, commit: str) -> bytes:
    """What a clone of one commit is answered."""
    call = SmartHTTPServiceStub(channel).PostUploadPack(
        iter(
            [
                PostUploadPackRequest(repository=repo.message),
                PostUploadPackRequest(data=wants(commit, capabilities="side-band-64k")),
            ]
        )
    )
    data = b""
    with suppress(grpc.aio.AioRpcError):  # which is what git's failure becomes, behind what it said
        async for message in call:
            data += message.data
    return data


async def test_a_worker_that_is_told_to_end_finishes_its_calls_and_is_replaced(
    new_daemon: NewDaemon, tmp_path: Path
) -> None:
    daemon = new_daemon(workers=2, grace="20s").start()
    repo = repository_in(daemon.storage)
    install(
        Path(repo.path, "custom_hooks/pre-receive"), "touch waiting; until [ -e go ]; do sleep 0.02; done"
    )
    oid, body = creation(repo, Repo.init(tmp_path / "source"))
    async with one_of_each(daemon) as channels:
        worker, channel = next(iter(channels.items()))
        call = begin_push(channel, repo, [body])
        await eventually(lambda: Path(repo.path, "waiting").exists())

        psutil.Process(worker).terminate()
        await asyncio.sleep(0.2)
        Path(repo.path, "go").touch()

        assert b"unpack ok" in b"".join([message.data async for message in call])
        await eventually(lambda: worker not in {each.pid for each in daemon.workers})
        await eventually(lambda: len(daemon.workers) == 2)
    assert oid in repo.references().values()
    assert daemon.stop() == 0
