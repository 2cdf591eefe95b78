"""The traces of a real daemon, as a collector gets them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.commit_pb2 import FindCommitRequest, ListCommitsRequest
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from gitaly_py.pb.shared_pb2 import Repository
from tests.daemon.conftest import NewDaemon
from tests.support.collector import Collector, running_collector
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.pushes import install
from tests.support.rails import SECRET, running_rails
from tests.support.repositories import Repo
from tests.support.smarthttp import begin_push, creation
from tests.support.status import collect, refused

OFTEN = {"OTEL_BSP_SCHEDULE_DELAY": "50"}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
TRACEPARENT = ("traceparent", f"00-{TRACE}-{CALLER}-01")


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with running_collector() as running:
        yield running


def traced(collector: Collector, options: str = "") -> dict[str, str]:
    """An environment in which the daemon traces."""
    return {"GITLAB_TRACING": f"otlp://{collector.endpoint}{options}", **OFTEN}


async def find_commit(daemon: Daemon, repo: Repo | Repository, *metadata: tuple[str, str]) -> Any:
    message = repo if isinstance(repo, Repository) else repo.message
    request = FindCommitRequest(repository=message, revision=b"main")
    return await daemon.stub(CommitServiceStub).FindCommit(request, metadata=metadata)


async def list_commits(daemon: Daemon, repo: Repo, *metadata: tuple[str, str]) -> None:
    request = ListCommitsRequest(repository=repo.message, revisions=["main"])
    await collect(daemon.stub(CommitServiceStub).ListCommits(request, metadata=metadata))


async def test_a_call_is_a_span_of_the_callers_trace(new_daemon: NewDaemon, collector: Collector) -> None:
    daemon = new_daemon(environment=traced(collector)).start()
    repo = repository_in(daemon.storage)
    repo.history(1, "refs/heads/main")

    await find_commit(daemon, repo, TRACEPARENT, ("x-gitlab-correlation-id", "abc"))

    span = await collector.span("gitaly.CommitService/FindCommit")
    assert (span.trace, span.parent, span.kind, span.failed) == (TRACE, CALLER, "SERVER", False)
    assert span.attributes == {
        "rpc.system": "grpc",
        "rpc.service": "gitaly.CommitService",
        "rpc.method": "FindCommit",
        "rpc.grpc.status_code": 0,
        "correlation_id": "abc",
        "gitaly.storage": "default",
        "gitaly.relative_path": repo.message.relative_path,
    }
    assert span.resource["service.name"] == "gitaly"
    assert span.seconds > 0


@pytest.mark.parametrize(
    "metadata",
    [[], [("traceparent", "nonsense")], [("traceparent", f"00-{'0' * 32}-{'0' * 16}-01")]],
    ids=["none", "nonsense", "zeros"],
)
async def test_a_call_without_a_usable_trace_begins_one(
    new_daemon: NewDaemon, collector: Collector, metadata: Sequence[tuple[str, str]]
) -> None:
    daemon = new_daemon(environment=traced(collector)).start()
    repo = repository_in(daemon.storage)
    repo.history(1, "refs/heads/main")

    await find_commit(daemon, repo, *metadata)

    span = await collector.span("gitaly.CommitService/FindCommit")
    assert span.parent == ""
    assert int(span.trace, 16) != 0


async def test_a_failed_call_says_which_code_it_had(new_daemon: NewDaemon, collector: Collector) -> None:
    daemon = new_daemon(environment=traced(collector)).start()
    repo = repository_in(daemon.storage)
    commit = repo.history(1, "refs/heads/main")[0]
    missing = Repository(storage_name="default", relative_path="missing.git")

    async with refused(StatusCode.NOT_FOUND, "repository not found"):
        await find_commit(daemon, missing)
    Path(repo.git_dir, "objects", commit[:2], commit[2:]).unlink()
    request = ListCommitsRequest(repository=repo.message, revisions=["main"])
    with pytest.raises(Exception, match="rev-list"):
        await collect(daemon.stub(CommitServiceStub).ListCommits(request))

    found = await collector.span("gitaly.CommitService/FindCommit")
    assert (found.attributes["rpc.grpc.status_code"], found.failed) == (5, False)
    listed = await collector.span("gitaly.CommitService/ListCommits")
    assert (listed.attributes["rpc.grpc.status_code"], listed.failed) == (13, True)
    assert listed.attributes["error.type"] == "Internal"
    process = await collector.span("git rev-list")
    assert process.failed
    assert process.attributes["process.exit.code"] == 128


async def test_git_processes_are_parts_of_their_call(
    new_daemon: NewDaemon, collector: Collector, tmp_path: Path
) -> None:
    wrapper, record = tmp_path / "git", tmp_path / "record"
    wrapper.write_text(f'#!/bin/sh\necho "$TRACEPARENT $*" >>{record}\nexec git "$@"\n')
    wrapper.chmod(0o755)
    environment = {**traced(collector), "GITALY_TESTING_GIT_BINARY": str(wrapper)}
    daemon = new_daemon(environment=environment).start()
    repo = repository_in(daemon.storage)
    repo.history(2, "refs/heads/main")

    await list_commits(daemon, repo, TRACEPARENT)

    process = await collector.span("git rev-list")
    call = await collector.span("gitaly.CommitService/ListCommits")
    assert (process.trace, process.parent) == (TRACE, call.id)
    assert process.attributes["process.command"] == "rev-list"
    assert process.attributes["process.exit.code"] == 0
    assert process.attributes["gitaly.process.user_seconds"] >= 0
    assert process.attributes["gitaly.process.system_seconds"] >= 0
    assert not [value for value in process.attributes.values() if repo.path in str(value)]
    started = [line for line in record.read_text().splitlines() if " rev-list " in line]
    assert [line.split()[0] for line in started] == [f"00-{TRACE}-{process.id}-01"]


async def test_a_push_is_one_trace_from_the_client_to_rails_and_custom_hooks(
    new_daemon: NewDaemon, collector: Collector, tmp_path: Path
) -> None:
    async with running_rails() as rails:
        tables = f'[gitlab]\nurl = "{rails.url}"\nsecret = "{SECRET.decode()}"\n'
        daemon = new_daemon(environment=traced(collector), tables=tables).start()
        repo = repository_in(daemon.storage)
        install(Path(repo.path, "custom_hooks", "pre-receive"), f'echo "$TRACEPARENT" >{tmp_path}/seen')
        _, body = creation(repo, Repo.init(tmp_path / "source"))
        await collect(begin_push(daemon.channel, repo, [body], metadata=[TRACEPARENT]))

        call = await collector.span("gitaly.SmartHTTPService/PostReceivePack")
        asked = {
            path: await collector.span(f"POST /api/v4/internal{path}")
            for path in ("/allowed", "/pre_receive", "/post_receive")
        }
        git = await collector.span("git receive-pack")
        pre, post = await collector.span("hook pre-receive"), await collector.span("hook post-receive")
        custom = await collector.span("pre-receive")

        assert (git.parent, pre.parent, post.parent) == (call.id, git.id, git.id)
        assert custom.parent == asked["/allowed"].parent == asked["/pre_receive"].parent == pre.id
        assert asked["/post_receive"].parent == post.id
        assert {span.trace for span in collector.spans} == {TRACE}
        for path, span in asked.items():
            (request,) = rails.asked(path)
            assert request.headers["traceparent"] == f"00-{TRACE}-{span.id}-01"
            assert span.kind == "CLIENT"
            assert span.attributes["http.response.status_code"] == 200
        assert (tmp_path / "seen").read_text() == f"00-{TRACE}-{custom.id}-01\n"


async def test_spans_are_sent_before_the_daemon_ends(new_daemon: NewDaemon, collector: Collector) -> None:
    rarely = {**traced(collector), "OTEL_BSP_SCHEDULE_DELAY": "3600000"}
    daemon = new_daemon(environment=rarely).start()
    repo = repository_in(daemon.storage)
    repo.history(1, "refs/heads/main")
    for _ in range(20):
        await find_commit(daemon, repo)
    assert collector.spans == []

    assert await asyncio.to_thread(daemon.stop) == 0

    assert len(collector.named("gitaly.CommitService/FindCommit")) == 20


async def test_a_collector_that_is_silent_does_not_keep_the_daemon(
    new_daemon: NewDaemon, collector: Collector
) -> None:
    collector.until = asyncio.Event()
    daemon = new_daemon(environment=traced(collector)).start()
    repo = repository_in(daemon.storage)
    repo.history(1, "refs/heads/main")
    await find_commit(daemon, repo)

    assert await asyncio.to_thread(daemon.stop) == 0

    assert any("the last ones are lost" in entry["msg"] for entry in daemon.log_entries())


async def test_a_collector_that_is_down_is_logged_and_costs_no_call(new_daemon: NewDaemon) -> None:
    environment = {"GITLAB_TRACING": "otlp://127.0.0.1:1", **OFTEN}
    daemon = new_daemon(environment=environment).start()
    repo = repository_in(daemon.storage)
    repo.history(1, "refs/heads/main")

    for _ in range(3):
        await find_commit(daemon, repo)
        await asyncio.sleep(0.1)

    assert await asyncio.to_thread(daemon.stop) == 0
    said = [entry for entry in daemon.log_entries() if entry["msg"].startswith("tracing: ")]
    assert said
    assert {entry["level"] for entry in said} <= {"warning", "error"}


async def test_the_standard_variables_turn_tracing_on(new_daemon: NewDaemon, collector: Collector) -> None:
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{collector.endpoint}",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-team=storage",
        "OTEL_SERVICE_NAME": "gitaly-7",
        **OFTEN,
    }
    daemon = new_daemon(environment=environment).start()
    repo = repository_in(daemon.storage)
    repo.history(1, "refs/heads/main")

    await find_commit(daemon, repo)

    span = await collector.span("gitaly.CommitService/FindCommit")
    assert span.resource["service.name"] == "gitaly-7"
    assert collector.headers[0]["x-team"] == "storage"


async def test_a_sampler_keeps_a_share_but_whole_traces_of_others(
    new_daemon: NewDaemon, collector: Collector
) -> None:
    options = "?sampler=probabilistic&sampler_param=0&service_name=mine&color=red"
    daemon = new_daemon(environment=traced(collector, options)).start()
    repo = repository_in(daemon.storage)
    repo.history(1, "refs/heads/main")

    await find_commit(daemon, repo)
    await find_commit(daemon, repo, TRACEPARENT)

    span = await collector.span("gitaly.CommitService/FindCommit")
    assert await asyncio.to_thread(daemon.stop) == 0
    assert [each.trace for each in collector.spans] == [TRACE]
    assert span.resource["service.name"] == "mine"
    (warning,) = [entry for entry in daemon.log_entries() if entry.get("unsupported")]
    assert (warning["unsupported"], warning["level"]) == ("color", "warning")


@pytest.mark.parametrize(
    ("environment", "warning"),
    [
        ({}, None),
        ({"GITLAB_TRACING": "opentracing://jaeger?udp_endpoint=localhost:6831"}, "opentracing://"),
    ],
    ids=["not asked for", "of another kind"],
)
async def test_while_tracing_is_off_children_know_nothing_of_it(
    new_daemon: NewDaemon, tmp_path: Path, environment: dict[str, str], warning: str | None
) -> None:
    wrapper, record = tmp_path / "git", tmp_path / "record"
    wrapper.write_text(f'#!/bin/sh\necho "${{TRACEPARENT-unset}} $*" >>{record}\nexec git "$@"\n')
    wrapper.chmod(0o755)
    daemon = new_daemon(environment={**environment, "GITALY_TESTING_GIT_BINARY": str(wrapper)}).start()
    repo = repository_in(daemon.storage)
    repo.history(1, "refs/heads/main")

    await list_commits(daemon, repo, TRACEPARENT)

    assert {line.split()[0] for line in record.read_text().splitlines()} == {"unset"}
    warnings = [entry for entry in daemon.log_entries() if entry["msg"] == "tracing stays off"]
    assert [warning in entry["error"] for entry in warnings if warning] == [True] * len(warnings)
    assert len(warnings) == (warning is not None)
