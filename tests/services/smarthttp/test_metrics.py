"""What fetches and pushes add to the metrics."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gitaly_py.pb.smarthttp_pb2 import InfoRefsRequest, PostUploadPackWithSidechannelRequest
from gitaly_py.pb.smarthttp_pb2_grpc import SmartHTTPServiceStub
from gitaly_py.transport.client import MultiplexedConnection
from tests.support.advertising import USUAL, ls_refs_request
from tests.support.daemon import Daemon
from tests.support.fixtures import KEEPS_PACKS, repository_in
from tests.support.metrics import free_port, metrics_when, scrape
from tests.support.smarthttp import FLUSH, fetch_with, pkt, sending, wants
from tests.support.stamps import settle_all

SERVICE = "gitaly.SmartHTTPService"
NEGOTIATION = "gitaly_smarthttp_packfile_negotiation_requests_total"
PORT = free_port()


@pytest_asyncio.fixture(scope="module")
async def measured(tmp_path_factory: pytest.TempPathFactory, engine: str) -> AsyncIterator[Daemon]:
    """A daemon whose metrics are at PORT."""
    extra = f'prometheus_listen_addr = "127.0.0.1:{PORT}"'
    started = Daemon(tmp_path_factory.mktemp("measured"), engine=engine, extra=extra).start()
    yield started
    await started.close_channel()
    assert started.stop() == 0


@pytest.mark.parametrize(
    ("protocol", "version"), [("", "v0"), ("version=1", "v1"), ("version=2", "v2"), ("version=3", "invalid")]
)
async def test_protocol_versions_are_counted(measured: Daemon, protocol: str, version: str) -> None:
    repo = repository_in(measured.storage)
    repo.history(1, "refs/heads/main")
    stub: Any = measured.stub(SmartHTTPServiceStub)

    async for _ in stub.InfoRefsUploadPack(InfoRefsRequest(repository=repo.message, git_protocol=protocol)):
        pass

    found = await scrape(PORT)
    labels = {"grpc_service": SERVICE, "grpc_method": "InfoRefsUploadPack", "git_protocol": version}
    assert found.value("gitaly_git_protocol_requests_total", **labels) == 1


async def test_features_of_fetches_are_counted(measured: Daemon) -> None:
    repo = repository_in(measured.storage)
    commits = repo.history(5, "refs/heads/main")
    v0 = pkt(f"want {commits[4]} filter shallow\n") + pkt("deepen 3\n") + pkt("filter blob:none\n") + FLUSH
    v0 += pkt(f"have {commits[0]}\n") + pkt("done\n")
    v2 = pkt("command=ls-refs\n") + FLUSH
    request = PostUploadPackWithSidechannelRequest(repository=repo.message)
    newer = PostUploadPackWithSidechannelRequest(repository=repo.message, git_protocol="version=2")

    async with await MultiplexedConnection.dial(f"unix:{measured.socket}") as connection:
        for each, body in ((request, v0), (request, wants(commits[4])), (newer, v2)):
            assert (await fetch_with(connection, each, sending(body))).error is None

    found = await metrics_when(
        PORT, lambda metrics: metrics.total(NEGOTIATION, git_negotiation_feature="total") == 3
    )
    counted = {
        feature: found.value(NEGOTIATION, git_negotiation_feature=feature)
        for feature in ("deepen", "filter", "have", "ls-refs", "total")
    }
    assert counted == {"deepen": 1, "filter": 1, "have": 1, "ls-refs": 1, "total": 3}
    assert found.value("gitaly_smarthttp_packfile_negotiation_deepen_sum") == 3
    assert found.value("gitaly_smarthttp_packfile_negotiation_deepen_bucket", le="2.0") == 0
    assert found.value("gitaly_smarthttp_packfile_negotiation_deepen_bucket", le="5.0") == 1


async def test_git_processes_are_counted_for_their_call(measured: Daemon) -> None:
    repo = repository_in(measured.storage)
    oid = repo.history(1, "refs/heads/main")[0]
    request = PostUploadPackWithSidechannelRequest(repository=repo.message)
    labels = {
        "grpc_service": SERVICE,
        "grpc_method": "PostUploadPackWithSidechannel",
        "subcmd": "upload-pack",
    }

    async with await MultiplexedConnection.dial(f"unix:{measured.socket}") as connection:
        await fetch_with(connection, request, sending(wants(oid)))

    found = await scrape(PORT)
    assert found.total("gitaly_command_real_seconds_total", **labels, reference_backend="files") > 0
    assert found.total("gitaly_command_cpu_seconds_total", **labels, mode="user", cmd="git") >= 0
    assert found.total("gitaly_commands_running", **labels) == 0


async def test_what_is_known_of_references_is_counted_and_starts_no_process(measured: Daemon) -> None:
    repo = repository_in(measured.storage)
    repo.history(1, "refs/heads/main")
    settle_all(repo.git_dir)
    stub: Any = measured.stub(SmartHTTPServiceStub)
    newer = PostUploadPackWithSidechannelRequest(repository=repo.message, git_protocol="version=2")
    before = await scrape(PORT)

    async with await MultiplexedConnection.dial(f"unix:{measured.socket}") as connection:
        for _ in range(2):
            async for _ in stub.InfoRefsUploadPack(InfoRefsRequest(repository=repo.message)):
                pass
            await fetch_with(connection, newer, sending(ls_refs_request(USUAL)))

    found = await scrape(PORT)

    def added(name: str, **labels: str) -> float:
        return found.total(name, **labels) - before.total(name, **labels)

    assert added("gitaly_inforef_cache_attempt_total") == 2
    assert added("gitaly_inforef_cache_hit_miss_total", type="miss") == 1
    assert added("gitaly_inforef_cache_hit_miss_total", type="hit") == 1
    assert added("gitaly_diskcache_requests_total") == 2
    assert added("gitaly_diskcache_miss_total") == 1
    assert added("gitaly_diskcache_bytes_stored_total") == added("gitaly_diskcache_bytes_fetched_total") > 0
    assert added("gitaly_ls_refs_total", answered_by="process") == 1
    assert added("gitaly_ls_refs_total", answered_by="memory") == 1
    assert added("gitaly_spawn_forking_time_seconds_count") == 1


@pytest.mark.parametrize("cached", [True, False], ids=["pack cache", "no pack cache"])
async def test_fetches_from_repositories_without_exactly_one_bitmap_are_counted(
    tmp_path_factory: pytest.TempPathFactory, engine: str, cached: bool
) -> None:
    port = free_port()
    tables = KEEPS_PACKS if cached else ""
    extra = f'prometheus_listen_addr = "127.0.0.1:{port}"'
    daemon = Daemon(tmp_path_factory.mktemp("bitmaps"), engine=engine, extra=extra, tables=tables).start()
    repo = repository_in(daemon.storage)

    async def fetch() -> dict[str, float]:
        """What is counted after a fetch of a new commit, by the number of bitmaps."""
        oid = repo.commit(ref="refs/heads/main")
        request = PostUploadPackWithSidechannelRequest(repository=repo.message)
        body = wants(oid, capabilities="side-band-64k")
        async with await MultiplexedConnection.dial(f"unix:{daemon.socket}") as connection:
            assert (await fetch_with(connection, request, sending(body))).error is None
        method = f"/{SERVICE}/PostUploadPackWithSidechannel"
        found = await scrape(port)
        return {
            number: found.total("gitaly_bad_bitmap_request_total", method=method, bitmaps=number)
            for number in "012"
        }

    try:
        assert await fetch() == {"0": 0, "1": 0, "2": 0}  # no packs, hence nothing to have a bitmap of
        repo.git("repack", "-adq", "--write-bitmap-index")
        assert await fetch() == {"0": 0, "1": 0, "2": 0}
        (bitmap,) = Path(repo.git_dir, "objects/pack").glob("*.bitmap")
        shutil.copy(bitmap, bitmap.with_name(f"pack-{'0' * 40}.bitmap"))
        assert await fetch() == {"0": 0, "1": 0, "2": 1}
        for each in bitmap.parent.glob("*.bitmap"):
            each.unlink()
        assert await fetch() == {"0": 1, "1": 0, "2": 1}
    finally:
        assert daemon.stop() == 0
