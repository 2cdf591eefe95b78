"""The access log of a real daemon (daemon.md 4.4); the step itself is tested with the interceptors."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from grpc import StatusCode

from gitaly_py.pb.commit_pb2 import CountCommitsRequest, FindCommitRequest
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from gitaly_py.pb.shared_pb2 import Repository
from tests.daemon.conftest import NewDaemon
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.repositories import Repo
from tests.support.smarthttp import begin_push, creation, never
from tests.support.status import collect, refused

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}")


async def find_commit(
    daemon: Daemon, repository: Repository, *metadata: tuple[str, str], **options: Any
) -> Any:
    request = FindCommitRequest(repository=repository, revision=b"main")
    return await daemon.stub(CommitServiceStub).FindCommit(request, metadata=metadata, **options)


async def test_a_unary_call_is_one_line_with_all_that_is_known(daemon: Daemon, repo: Repo) -> None:
    repo.history(1, "refs/heads/main")
    metadata = [
        ("x-gitlab-correlation-id", "abc123"),
        ("x-gitlab-client-name", "gitlab-web"),
        ("call_site", "here"),
        ("remote_ip", "10.0.0.1"),
        ("user_id", "user-7"),
        ("username", "rosa"),
        ("gitaly-feature-b-flag", "true"),
        ("gitaly-feature-a-flag", "true"),
        ("gitaly-feature-off", "false"),
    ]

    response = await find_commit(daemon, repo.message, *metadata, timeout=60)

    entry = await daemon.access_entry("FindCommit", correlation_id="abc123")
    request = FindCommitRequest(repository=repo.message, revision=b"main")
    expected = {
        "msg": "finished unary call with code OK",
        "level": "info",
        "component": "gitaly.UnaryServerInterceptor",
        "system": "grpc",
        "span.kind": "server",
        "grpc.service": "gitaly.CommitService",
        "grpc.code": "OK",
        "grpc.request.fullMethod": "/gitaly.CommitService/FindCommit",
        "grpc.request.repoStorage": "default",
        "grpc.request.repoPath": repo.message.relative_path,
        "grpc.request.glRepository": "project-1",
        "grpc.request.glProjectPath": "group/project",
        "grpc.request.payload_bytes": request.ByteSize(),
        "grpc.response.payload_bytes": response.ByteSize(),
        "grpc.meta.client_name": "gitlab-web",
        "grpc.meta.call_site": "here",
        "grpc.meta.method_type": "unary",
        "grpc.meta.method_operation": "accessor",
        "grpc.meta.method_scope": "repository",
        "remote_ip": "10.0.0.1",
        "user_id": "user-7",
        "username": "rosa",
        "feature_flags": "a_flag b_flag",
        "pid": daemon.worker.pid,
    }
    assert expected.items() <= entry.items()
    assert "error" not in entry
    assert entry["grpc.time_ms"] >= 0
    assert entry["time"].endswith("Z")
    assert all(MOMENT.fullmatch(entry[key]) for key in ("grpc.start_time", "grpc.request.deadline"))
    assert list(entry) == sorted(entry)


async def test_a_failed_call_says_why(daemon: Daemon) -> None:
    missing = Repository(storage_name="default", relative_path="missing/one.git")

    async with refused(StatusCode.NOT_FOUND, "repository not found"):
        await find_commit(daemon, missing)

    entry = await daemon.access_entry("FindCommit", **{"grpc.request.repoPath": "missing/one.git"})
    assert (entry["grpc.code"], entry["level"]) == ("NotFound", "info")
    assert entry["error"] == "rpc error: code = NotFound desc = repository not found"
    assert entry["correlation_id"]
    assert entry["grpc.request.glRepository"] == ""


async def test_a_stream_is_one_line_with_the_repository_of_its_first_message(
    daemon: Daemon, repo: Repo, tmp_path: Any
) -> None:
    _, body = creation(repo, Repo.init(tmp_path / "source"))
    answer = await collect(begin_push(daemon.channel, repo, [body[:100], body[100:]]))

    entry = await daemon.access_entry(
        "PostReceivePack", **{"grpc.request.repoPath": repo.message.relative_path}
    )
    assert entry["msg"] == "finished streaming call with code OK"
    assert entry["component"] == "gitaly.StreamServerInterceptor"
    assert entry["grpc.meta.method_type"] == "bidi_stream"
    assert entry["grpc.meta.method_operation"] == "mutator"
    assert entry["grpc.request.payload_bytes"] > len(body)
    assert entry["grpc.response.payload_bytes"] == sum(message.ByteSize() for message in answer)
    assert entry["remote_ip"] == "10.1.2.3"
    assert entry["command.count"] == 1
    assert {"command.cpu_time_ms", "command.real_time_ms", "command.minflt"} <= set(entry)


async def test_a_call_that_is_hung_up_is_logged_as_canceled(daemon: Daemon, repo: Repo) -> None:
    call = begin_push(daemon.channel, repo, [], rest=never())
    await asyncio.sleep(0.1)

    call.cancel()

    entry = await daemon.access_entry(
        "PostReceivePack", **{"grpc.request.repoPath": repo.message.relative_path}
    )
    assert (entry["grpc.code"], entry["level"]) == ("Canceled", "info")


async def test_methods_may_be_chosen_and_no_line_is_lost_at_the_end(new_daemon: NewDaemon) -> None:
    allowed = {"GITALY_LOG_REQUEST_METHOD_ALLOW_PATTERN": "/FindCommit$"}
    daemon = new_daemon(environment=allowed, token="s3cret").start()
    repo = repository_in(daemon.storage)

    for _ in range(20):
        async with refused(StatusCode.UNAUTHENTICATED, "authentication required"):
            await find_commit(daemon, repo.message)
        async with refused(StatusCode.UNAUTHENTICATED, "authentication required"):
            await daemon.stub(CommitServiceStub).CountCommits(CountCommitsRequest())
    assert daemon.stop() == 0

    logged = [entry["grpc.method"] for entry in daemon.log_entries() if "grpc.method" in entry]
    assert logged == ["FindCommit"] * 20


async def test_lines_may_be_text(new_daemon: NewDaemon) -> None:
    daemon = new_daemon()
    daemon.config.write_text(daemon.config.read_text().replace('format = "json"', 'format = "text"'))
    daemon.start()
    missing = Repository(storage_name="default", relative_path="missing/one two.git")

    async with refused(StatusCode.NOT_FOUND, "repository not found"):
        await find_commit(daemon, missing, ("x-gitlab-correlation-id", "abc"), ("username", "rosa"))
    assert await asyncio.to_thread(daemon.stop) == 0

    (line,) = [line for line in daemon.log.read_text().splitlines() if "finished unary call" in line]
    beginning = (
        r'time="[^"]+Z" level=info msg="finished unary call with code NotFound" component=gitaly\.Unary'
    )
    assert re.match(beginning, line)
    pairs = dict(re.findall(r'(\S+?)=("(?:[^"\\]|\\.)*"|\S*)', line))
    assert pairs["correlation_id"] == "abc"
    assert pairs["error"] == '"rpc error: code = NotFound desc = repository not found"'
    assert pairs["error_metadata"] == f'"map[path:{daemon.storage}/missing/one two.git]"'
    assert pairs["grpc.request.repoPath"] == '"missing/one two.git"'
    assert pairs["grpc.request.glRepository"] == ""
    assert pairs["username"] == "rosa"
    assert float(pairs["grpc.time_ms"]) >= 0
    keys = [key for key in pairs if key not in ("time", "level", "msg")]
    assert keys == sorted(keys)
