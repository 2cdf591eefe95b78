"""What fetches and pushes over ssh add to the metrics."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gitaly_py.pb.ssh_pb2 import SSHUploadPackWithSidechannelRequest
from gitaly_py.transport.client import MultiplexedConnection
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.metrics import free_port, metrics_when, scrape
from tests.support.smarthttp import FLUSH, PUSHER, pkt, sending, wants
from tests.support.ssh import answered, begin, fetch_over_ssh

SERVICE = "gitaly.SSHService"
NEGOTIATION = "gitaly_ssh_packfile_negotiation_requests_total"
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
@pytest.mark.parametrize("method", ["SSHUploadPack", "SSHReceivePack"])
async def test_protocol_versions_are_counted(
    measured: Daemon, method: str, protocol: str, version: str
) -> None:
    repo = repository_in(measured.storage)
    repo.history(1, "refs/heads/main")
    user = PUSHER if method == "SSHReceivePack" else {}

    await answered(begin(measured.channel, method, repo, [FLUSH], first={**user, "git_protocol": protocol}))

    labels = {"grpc_service": SERVICE, "grpc_method": method, "git_protocol": version}
    assert (await scrape(PORT)).value("gitaly_git_protocol_requests_total", **labels) == 1


async def test_features_of_fetches_are_counted(measured: Daemon) -> None:
    repo = repository_in(measured.storage)
    commits = repo.history(5, "refs/heads/main")
    before = (await scrape(PORT)).total(NEGOTIATION, git_negotiation_feature="total")
    v0 = pkt(f"want {commits[4]} filter shallow\n") + pkt("deepen 3\n") + pkt("filter blob:none\n") + FLUSH
    v0 += pkt(f"have {commits[0]}\n") + pkt("done\n")
    v2 = pkt("command=ls-refs\n") + FLUSH
    request = SSHUploadPackWithSidechannelRequest(repository=repo.message)
    newer = SSHUploadPackWithSidechannelRequest(repository=repo.message, git_protocol="version=2")

    async with await MultiplexedConnection.dial(f"unix:{measured.socket}") as connection:
        for each, body in ((request, v0), (request, wants(commits[4])), (newer, v2)):
            assert (await fetch_over_ssh(connection, each, sending(body))).error is None

    found = await metrics_when(
        PORT, lambda metrics: metrics.total(NEGOTIATION, git_negotiation_feature="total") == before + 3
    )
    counted = {
        feature: found.value(NEGOTIATION, git_negotiation_feature=feature)
        for feature in ("deepen", "filter", "have", "ls-refs")
    }
    assert counted == {"deepen": 1, "filter": 1, "have": 1, "ls-refs": 1}
    assert found.value("gitaly_ssh_packfile_negotiation_deepen_sum") == 3


async def test_git_processes_are_counted_for_their_call(measured: Daemon) -> None:
    repo = repository_in(measured.storage)
    repo.history(1, "refs/heads/main")
    labels = {"grpc_service": SERVICE, "grpc_method": "SSHUploadArchive", "subcmd": "upload-archive"}

    await answered(begin(measured.channel, "SSHUploadArchive", repo, [pkt("argument main\n") + FLUSH]))

    found = await scrape(PORT)
    assert found.total("gitaly_command_real_seconds_total", **labels, reference_backend="files") > 0
    assert found.total("gitaly_commands_running", **labels) == 0
