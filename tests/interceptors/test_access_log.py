"""Which methods are logged, and what a line says (daemon.md 4.4)."""

from __future__ import annotations

import pytest

from gitaly_py.interceptors.access_log import LoggedMethods
from gitaly_py.pb.commit_pb2 import FindCommitRequest
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from tests.support.daemon import Daemon
from tests.support.repositories import Repo

HEALTH = "/grpc.health.v1.Health/Check"
FIND = "/gitaly.CommitService/FindCommit"


@pytest.mark.parametrize(
    ("environment", "logged"),
    [
        ({}, {FIND}),
        ({"GITALY_LOG_REQUEST_METHOD_ALLOW_PATTERN": "Health"}, {HEALTH}),
        ({"GITALY_LOG_REQUEST_METHOD_DENY_PATTERN": "Commit"}, {HEALTH}),
        ({"GITALY_LOG_REQUEST_METHOD_DENY_PATTERN": ""}, {HEALTH, FIND}),
    ],
    ids=["default", "allowed only", "denied", "nothing denied"],
)
def test_patterns_choose_the_methods(environment: dict[str, str], logged: set[str]) -> None:
    chosen = LoggedMethods.from_environment(environment)
    assert {path for path in (HEALTH, FIND) if path in chosen} == logged


async def test_a_call_leaves_one_line_with_its_fields(daemon: Daemon, repo: Repo) -> None:
    oid = repo.commit("subject", ref="refs/heads/main")
    metadata = [
        ("x-gitlab-correlation-id", "id-of-this-test"),
        ("client_name", "gitlab-web"),
        ("call_site", "spec"),
        ("username", "rosa"),
        ("gitaly-feature-demo-flag", "true"),
        ("gitaly-feature-other", "false"),
    ]
    request = FindCommitRequest(repository=repo.message, revision=oid.encode())
    await daemon.stub(CommitServiceStub).FindCommit(request, metadata=metadata, timeout=30)
    entry = await daemon.access_entry("FindCommit", correlation_id="id-of-this-test")
    assert (
        entry.items()
        >= {
            "msg": "finished unary call with code OK",
            "level": "info",
            "component": "gitaly.UnaryServerInterceptor",
            "grpc.code": "OK",
            "grpc.service": "gitaly.CommitService",
            "grpc.request.fullMethod": FIND,
            "grpc.request.repoStorage": "default",
            "grpc.request.repoPath": repo.message.relative_path,
            "grpc.request.glRepository": "project-1",
            "grpc.request.payload_bytes": request.ByteSize(),
            "grpc.meta.client_name": "gitlab-web",
            "grpc.meta.call_site": "spec",
            "grpc.meta.method_operation": "accessor",
            "grpc.meta.method_type": "unary",
            "username": "rosa",
            "feature_flags": "demo_flag",
            "span.kind": "server",
            "system": "grpc",
        }.items()
    )
    assert entry["grpc.request.deadline"] > entry["grpc.start_time"]
    assert (
        len([each for each in daemon.log_entries() if each.get("correlation_id") == "id-of-this-test"]) == 1
    )
