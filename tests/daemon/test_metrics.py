"""What Prometheus finds after calls (daemon.md 7)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from grpc import StatusCode

from gitaly_py.pb.commit_pb2 import FindCommitRequest
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from gitaly_py.pb.ref_pb2 import ListRefsRequest
from gitaly_py.pb.ref_pb2_grpc import RefServiceStub
from gitaly_py.pb.repository_pb2 import (
    CreateRepositoryRequest,
    RemoveRepositoryRequest,
    RepositoryExistsRequest,
)
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from gitaly_py.pb.shared_pb2 import Repository
from gitaly_py.rpc.credentials import bearer
from gitaly_py.rpc.methods import all_methods
from tests.daemon.conftest import NewDaemon
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.metric_names import COUNTERS, GAUGES, HISTOGRAMS
from tests.support.metrics import Metrics, free_port, metrics_when, scrape
from tests.support.repositories import Repo
from tests.support.smarthttp import FLUSH, begin_push
from tests.support.status import collect, refused

PORT = free_port()
RPC_LABELS = frozenset({"grpc_type", "grpc_service", "grpc_method"})
CLIENT_LABELS = frozenset(
    {
        "client_name",
        "grpc_service",
        "grpc_method",
        "call_site",
        "auth_version",
        "grpc_code",
        "deadline_type",
        "method_operation",
        "method_scope",
    }
)
FIND_COMMIT = {"grpc_type": "unary", "grpc_service": "gitaly.CommitService", "grpc_method": "FindCommit"}


@pytest_asyncio.fixture(scope="module")
async def measured(tmp_path_factory: pytest.TempPathFactory, engine: str) -> AsyncIterator[Daemon]:
    tables = "[prometheus]\ngrpc_latency_buckets = [0.5, 2.0]\n"
    extra = f'prometheus_listen_addr = "127.0.0.1:{PORT}"'
    started = Daemon(
        tmp_path_factory.mktemp("measured"), engine=engine, extra=extra, tables=tables, token="s3cret"
    ).start()
    yield started
    await started.close_channel()
    assert started.stop() == 0


@pytest.fixture(scope="module")
def repo(measured: Daemon) -> Repo:
    made = repository_in(measured.storage)
    made.history(3, "refs/heads/main")
    return made


def token(secret: str = "s3cret") -> tuple[str, str]:
    return "authorization", bearer(secret, int(time.time()))


async def find_commit(
    daemon: Daemon, repo: Repo, *metadata: tuple[str, str], timeout: float | None = None
) -> Any:
    request = FindCommitRequest(repository=repo.message, revision=b"main")
    return await daemon.stub(CommitServiceStub).FindCommit(
        request, metadata=[token(), *metadata], timeout=timeout
    )


async def counted(name: str, **labels: str) -> Metrics:
    """The metrics once a counter is above zero."""
    return await metrics_when(PORT, lambda metrics: metrics.value(name, **labels))


async def test_every_rpc_has_its_series_from_the_start(measured: Daemon) -> None:
    found = await scrape(PORT)

    for method in all_methods():
        labels = {"grpc_type": method.kind, "grpc_service": method.service, "grpc_method": method.name}
        assert found.value("grpc_server_started_total", **labels) is not None, method
        assert found.value("grpc_server_handled_total", **labels, grpc_code="OK") is not None, method
    assert found.types["grpc_server_started"] == "counter"
    assert found.types["grpc_server_handling_seconds"] == "histogram"


async def test_a_unary_call_is_counted(measured: Daemon, repo: Repo) -> None:
    before = await scrape(PORT)

    await find_commit(measured, repo)

    total = (before.value("grpc_server_handled_total", **FIND_COMMIT, grpc_code="OK") or 0) + 1
    found = await metrics_when(
        PORT,
        lambda metrics: metrics.value("grpc_server_handled_total", **FIND_COMMIT, grpc_code="OK") == total,
    )
    for name in ("started_total", "msg_received_total", "msg_sent_total", "handling_seconds_count"):
        added = (found.value(f"grpc_server_{name}", **FIND_COMMIT) or 0) - (
            before.value(f"grpc_server_{name}", **FIND_COMMIT) or 0
        )
        assert added == 1, name
    assert found.label_names("grpc_server_handled_total") == {RPC_LABELS | {"grpc_code"}}
    assert found.label_names("grpc_server_msg_sent_total") == {RPC_LABELS}


async def test_latency_has_the_buckets_of_the_configuration(measured: Daemon, repo: Repo) -> None:
    await find_commit(measured, repo)

    found = await counted("grpc_server_handling_seconds_count", **FIND_COMMIT)
    buckets = [
        found.value("grpc_server_handling_seconds_bucket", **FIND_COMMIT, le=le)
        for le in ("0.5", "2.0", "+Inf")
    ]
    assert None not in buckets
    assert found.value("grpc_server_handling_seconds_bucket", **FIND_COMMIT, le="1.0") is None


async def test_messages_of_streams_are_counted_one_by_one(measured: Daemon, repo: Repo) -> None:
    request = ListRefsRequest(repository=repo.message, patterns=[b"refs/heads/"])
    labels = {"grpc_type": "server_stream", "grpc_service": "gitaly.RefService", "grpc_method": "ListRefs"}

    responses = await collect(measured.stub(RefServiceStub).ListRefs(request, metadata=[token()]))

    found = await counted("grpc_server_handled_total", **labels, grpc_code="OK")
    assert found.value("grpc_server_msg_sent_total", **labels) == len(responses)
    assert found.value("grpc_server_msg_received_total", **labels) == 1


async def test_both_directions_of_a_bidirectional_call_are_counted(measured: Daemon, repo: Repo) -> None:
    labels = {
        "grpc_type": "bidi_stream",
        "grpc_service": "gitaly.SmartHTTPService",
        "grpc_method": "PostReceivePack",
    }

    call = begin_push(measured.channel, repo, [FLUSH[:2], FLUSH[2:]], metadata=[token()])
    assert await collect(call) == []

    found = await counted("grpc_server_handled_total", **labels, grpc_code="OK")
    assert found.value("grpc_server_msg_received_total", **labels) == 3
    assert found.value("grpc_server_msg_sent_total", **labels) == 0


async def test_requests_are_counted_by_client(measured: Daemon, repo: Repo) -> None:
    metadata = [
        ("x-gitlab-client-name", "gitlab-workhorse"),
        ("client_name", "ignored"),
        ("call_site", "find_it"),
        ("deadline_type", "regular"),
    ]

    await find_commit(measured, repo, *metadata, timeout=60)

    labels = {
        "client_name": "gitlab-workhorse",
        "grpc_service": "gitaly.CommitService",
        "grpc_method": "FindCommit",
        "call_site": "find_it",
        "auth_version": "v2",
        "grpc_code": "OK",
        "deadline_type": "regular",
        "method_operation": "accessor",
        "method_scope": "repository",
    }
    found = await counted("gitaly_service_client_requests_total", **labels)
    assert found.value("gitaly_service_client_requests_total", **labels) == 1
    assert found.label_names("gitaly_service_client_requests_total") == {CLIENT_LABELS}


@pytest.mark.parametrize(
    ("metadata", "code", "text", "status"),
    [
        ([], StatusCode.UNAUTHENTICATED, "authentication required", "unauthenticated"),
        (
            [token("wrong")],
            StatusCode.PERMISSION_DENIED,
            "permission denied: wrong hmac signature",
            "denied",
        ),
    ],
)
async def test_authentication_is_counted(
    measured: Daemon, repo: Repo, metadata: list[tuple[str, str]], code: StatusCode, text: str, status: str
) -> None:
    request = RepositoryExistsRequest(repository=repo.message)
    labels = {
        "grpc_type": "unary",
        "grpc_service": "gitaly.RepositoryService",
        "grpc_method": "RepositoryExists",
    }

    async with refused(code, text):
        await measured.stub(RepositoryServiceStub).RepositoryExists(request, metadata=metadata)

    name = "".join(word.capitalize() for word in code.name.split("_"))
    found = await counted("grpc_server_handled_total", **labels, grpc_code=name)
    assert found.value("gitaly_authentications_total", enforced="true", status=status) == 1
    assert (
        found.total("gitaly_service_client_requests_total", grpc_method="RepositoryExists", grpc_code=name)
        == 1
    )


async def test_reasons_of_refused_tokens_are_counted(measured: Daemon, repo: Repo) -> None:
    request = RepositoryExistsRequest(repository=repo.message)
    expired = "authorization", bearer("s3cret", int(time.time()) - 60)

    async with refused(StatusCode.PERMISSION_DENIED, "permission denied: token has expired"):
        await measured.stub(RepositoryServiceStub).RepositoryExists(request, metadata=[expired])

    found = await scrape(PORT)
    assert found.value("gitaly_authentication_errors_total", version="v2", error="token has expired") == 1


async def test_the_build_and_the_process_are_described(measured: Daemon) -> None:
    found = await scrape(PORT)

    assert found.total("gitlab_build_info") == 1
    (labels,) = found.label_names("gitlab_build_info")
    assert {"version", "git_version"} <= labels
    assert found.value("process_resident_memory_bytes")
    assert found.value("process_open_fds")


async def test_every_metric_has_its_name_and_type(measured: Daemon) -> None:
    found = (await scrape(PORT)).declared

    for kind, names in (("counter", COUNTERS), ("gauge", GAUGES), ("histogram", HISTOGRAMS)):
        assert {name: found.get(name) for name in names} == dict.fromkeys(names, kind)


async def test_calls_that_pass_are_counted_for_caches(measured: Daemon, repo: Repo) -> None:
    rpcs, operations = "gitaly_cacheinvalidator_rpc_total", "gitaly_cacheinvalidator_optype_total"
    before = await scrape(PORT)

    await find_commit(measured, repo)
    await collect(begin_push(measured.channel, repo, [FLUSH], metadata=[token()]))
    async with refused(StatusCode.UNAUTHENTICATED, "authentication required"):
        await measured.stub(RepositoryServiceStub).RepositoryExists(RepositoryExistsRequest())

    after = await scrape(PORT)
    added = {
        kind: after.total(operations, type=kind) - before.total(operations, type=kind)
        for kind in ("accessor", "mutator", "maintenance")
    }
    assert added == {"accessor": 1, "mutator": 1, "maintenance": 0}
    assert after.total(rpcs) - before.total(rpcs) == 2


async def test_repositories_are_counted_as_they_come_and_go(measured: Daemon) -> None:
    stub = measured.stub(RepositoryServiceStub)
    made = Repository(storage_name="default", relative_path="@counted/aa/1.git")
    labels = {"path": str(measured.storage), "prefix": "@counted"}

    await stub.CreateRepository(CreateRepositoryRequest(repository=made), metadata=[token()])
    await counted("gitaly_total_repositories_count", **labels)
    await stub.RemoveRepository(RemoveRepositoryRequest(repository=made), metadata=[token()])

    assert (await scrape(PORT)).value("gitaly_total_repositories_count", **labels) == 0


async def test_repositories_that_are_there_at_the_start_are_counted(new_daemon: NewDaemon) -> None:
    port = free_port()
    daemon = new_daemon(extra=f'prometheus_listen_addr = "127.0.0.1:{port}"')
    for number in range(3):
        Repo.init(daemon.storage / f"@hashed/aa/{number}.git")
    Repo.init(daemon.other_storage / "@pools/bb/1.git")
    daemon.start()

    name = "gitaly_total_repositories_count"
    found = await metrics_when(port, lambda metrics: metrics.total(name, path=str(daemon.other_storage)))
    assert found.value(name, path=str(daemon.storage), prefix="@hashed") == 3
    assert found.value(name, path=str(daemon.other_storage), prefix="@pools") == 1


async def test_no_label_says_which_repository(measured: Daemon, repo: Repo) -> None:
    await find_commit(measured, repo)

    found = await counted("grpc_server_handled_total", **FIND_COMMIT, grpc_code="OK")
    assert not [value for value in found.label_values() if repo.message.relative_path in value]
