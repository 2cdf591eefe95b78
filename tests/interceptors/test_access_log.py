"""Which methods are logged, and what a line says (daemon.md 4.4)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from grpc import StatusCode

from gitaly_py.interceptors.access_log import LoggedMethods, _finished
from gitaly_py.pb.commit_pb2 import FindCommitRequest
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from gitaly_py.pb.errors_pb2 import ReferenceStateMismatchError
from gitaly_py.pb.ref_pb2 import UpdateReferencesError, UpdateReferencesRequest
from gitaly_py.pb.ref_pb2_grpc import RefServiceStub
from gitaly_py.pb.shared_pb2 import Repository
from gitaly_py.rpc.methods import methods
from gitaly_py.rpc.status import ABORTED_TEXT
from tests.support.daemon import Daemon
from tests.support.fixtures import NewRepo
from tests.support.repositories import Repo
from tests.support.status import refused

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


@pytest.mark.parametrize("kind", ["ALLOW", "DENY"])
def test_a_pattern_that_is_none_changes_nothing(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    name = f"GITALY_LOG_REQUEST_METHOD_{kind}_PATTERN"
    chosen = LoggedMethods.from_environment({name: "["})

    assert {path for path in (HEALTH, FIND) if path in chosen} == {FIND}
    assert name in capsys.readouterr().out


LEVELS = {
    "info": ["OK", "NotFound", "Canceled", "AlreadyExists", "InvalidArgument", "Unauthenticated"],
    "warning": [
        "DeadlineExceeded",
        "PermissionDenied",
        "FailedPrecondition",
        "Aborted",
        "OutOfRange",
        "ResourceExhausted",
    ],
    "error": ["Unknown", "Unimplemented", "Internal", "Unavailable", "DataLoss"],
}


@pytest.mark.parametrize("code", list(StatusCode))
def test_the_level_says_how_bad_a_code_is(code: StatusCode) -> None:
    fields = _finished(methods()[FIND], code).fields
    assert fields["grpc.code"] in LEVELS[fields["level"]]
    assert fields["msg"] == f"finished unary call with code {fields['grpc.code']}"


async def test_what_else_is_known_of_an_error_is_in_the_log_only(daemon: Daemon, repo: Repo) -> None:
    stub = daemon.stub(CommitServiceStub)
    relative_path = f"{repo.message.relative_path}/missing"
    missing = Repository(storage_name="default", relative_path=relative_path)
    async with refused(StatusCode.NOT_FOUND, "repository not found"):
        await stub.FindCommit(FindCommitRequest(repository=missing, revision=b"main"))
    entry = await daemon.access_entry("FindCommit", **{"grpc.request.repoPath": relative_path})
    assert entry["error_metadata"] == {"path": f"{daemon.storage}/{relative_path}"}

    elsewhere = Repository(storage_name="elsewhere", relative_path=relative_path)
    async with refused(StatusCode.INVALID_ARGUMENT, "storage name not found"):
        await stub.FindCommit(FindCommitRequest(repository=elsewhere, revision=b"main"))
    entry = await daemon.access_entry("FindCommit", **{"grpc.request.repoStorage": "elsewhere"})
    assert entry["error_metadata"] == {"storage_name": "elsewhere"}


async def test_the_text_behind_an_aborted_call_is_in_the_log_only(daemon: Daemon, repo: Repo) -> None:
    old, new = repo.history(2, "refs/heads/main")
    update = UpdateReferencesRequest.Update(
        reference=b"refs/heads/main", old_object_id=old.encode(), new_object_id=new.encode()
    )

    async def requests() -> AsyncIterator[UpdateReferencesRequest]:
        yield UpdateReferencesRequest(repository=repo.message, updates=[update])

    mismatch = ReferenceStateMismatchError(
        reference_name=b"refs/heads/main", expected_object_id=old.encode(), actual_object_id=new.encode()
    )
    detail = UpdateReferencesError(reference_state_mismatch=mismatch)
    async with refused(StatusCode.ABORTED, ABORTED_TEXT, detail):
        await daemon.stub(RefServiceStub).UpdateReferences(requests())

    path = {"grpc.request.repoPath": repo.message.relative_path}
    entry = await daemon.access_entry("UpdateReferences", **path)
    assert (entry["level"], entry["error"]) == ("warning", f"rpc error: code = Aborted desc = {ABORTED_TEXT}")
    assert entry["error_metadata"]["error_details"] == "reference does not point to expected object"


async def test_use_of_cat_file_processes_is_in_the_line(daemon: Daemon, new_repo: NewRepo) -> None:
    repo = new_repo(object_format="sha256")
    oid = repo.commit("subject", ref="refs/heads/main")
    request = FindCommitRequest(repository=repo.message, revision=oid.encode())

    for _ in range(2):
        await daemon.stub(CommitServiceStub).FindCommit(request)

    path = {"grpc.request.repoPath": repo.message.relative_path}
    await daemon.access_entry("FindCommit", **path)
    lines = [entry for entry in daemon.log_entries() if path.items() <= entry.items()]
    for entry in lines:
        for step in ("request_object", "flush", "read_object"):
            assert entry[f"catfile.{step}_count"] >= 1
            assert entry[f"catfile.{step}_ms"] >= 0
        assert entry["catfile.duration_ms"] >= 0
    assert {entry["catfile.read_object_count"] for entry in lines} == {lines[0]["catfile.read_object_count"]}


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
