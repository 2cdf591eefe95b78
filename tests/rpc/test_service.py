"""What can't be right is refused when a handler registers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest

from gitaly_py.pb.commit_pb2 import (
    FindCommitRequest,
    FindCommitResponse,
    ListCommitsRequest,
    ListCommitsResponse,
)
from gitaly_py.pb.server_pb2 import ServerInfoRequest, ServerInfoResponse
from gitaly_py.pb.shared_pb2 import GitCommit
from gitaly_py.rpc.checks import some
from gitaly_py.rpc.methods import methods, snake_case
from gitaly_py.rpc.service import RegistrationError, RepositoryRule, Service


@pytest.fixture
def service() -> Service:
    return Service("CommitService")


def test_a_name_that_is_no_rpc_is_refused(service: Service) -> None:
    async def find_comit(call: Any, request: FindCommitRequest) -> FindCommitResponse:
        return FindCommitResponse()

    with pytest.raises(RegistrationError, match="find_comit is no RPC"):
        service.rpc()(find_comit)


def test_a_stream_that_is_no_generator_is_refused(service: Service) -> None:
    async def list_commits(call: Any, request: ListCommitsRequest) -> GitCommit:
        return GitCommit()

    with pytest.raises(RegistrationError, match="async generator"):
        service.rpc()(list_commits)


def test_a_stream_may_be_a_coroutine_that_says_what_its_only_message_is(service: Service) -> None:
    async def list_commits(
        call: Any, request: ListCommitsRequest
    ) -> ListCommitsResponse | AsyncGenerator[GitCommit, None]:
        return ListCommitsResponse()

    service.rpc()(list_commits)

    [rpc] = service.rpcs.values()
    assert not rpc.streams


def test_a_generator_for_a_single_response_is_refused(service: Service) -> None:
    async def find_commit(call: Any, request: FindCommitRequest) -> AsyncIterator[GitCommit]:
        yield GitCommit()

    with pytest.raises(RegistrationError, match="async generator"):
        service.rpc()(find_commit)


def test_another_rpcs_request_is_refused(service: Service) -> None:
    async def find_commit(call: Any, request: ListCommitsRequest) -> FindCommitResponse:
        return FindCommitResponse()

    with pytest.raises(RegistrationError, match="takes FindCommitRequest"):
        service.rpc()(find_commit)


def test_a_check_of_a_field_that_is_not_there_is_refused(service: Service) -> None:
    async def find_commit(call: Any, request: FindCommitRequest) -> FindCommitResponse:
        return FindCommitResponse()

    with pytest.raises(RegistrationError, match="has no field revisions"):
        service.rpc(some("revisions", otherwise="x"))(find_commit)


def test_items_of_a_field_that_is_not_there_are_refused(service: Service) -> None:
    async def list_commits(call: Any, request: ListCommitsRequest) -> AsyncIterator[GitCommit]:
        yield GitCommit()

    with pytest.raises(RegistrationError, match="has no field items"):
        service.rpc(items="items")(list_commits)


def test_an_unknown_service_is_refused() -> None:
    with pytest.raises(RegistrationError, match="no service gitaly"):
        Service("Comit")


def test_an_rpc_without_a_target_looks_at_no_repository() -> None:
    service = Service("ServerService")

    @service.rpc()
    async def server_info(call: Any, request: ServerInfoRequest) -> ServerInfoResponse:
        return ServerInfoResponse()

    assert service.rpcs["/gitaly.ServerService/ServerInfo"].repository is RepositoryRule.NOWHERE


@pytest.mark.parametrize(
    ("name", "snake"),
    [
        ("FindCommit", "find_commit"),
        ("GetLFSPointers", "get_lfs_pointers"),
        ("SSHUploadPackWithSidechannel", "ssh_upload_pack_with_sidechannel"),
        ("FindRefsByOID", "find_refs_by_oid"),
        ("UserFFBranch", "user_ff_branch"),
        ("CreateRepositoryFromURL", "create_repository_from_url"),
    ],
)
def test_handlers_have_the_snake_case_name_of_their_rpc(name: str, snake: str) -> None:
    assert snake_case(name) == snake


def test_handler_names_are_unique_in_every_service() -> None:
    names = [(method.service, method.handler_name) for method in methods().values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("path", "target", "pool"),
    [
        ("/gitaly.CommitService/FindCommit", ("repository",), False),
        ("/gitaly.OperationService/UserCommitFiles", ("header", "repository"), False),
        ("/gitaly.ObjectPoolService/FetchIntoObjectPool", ("object_pool", "repository"), True),
        ("/gitaly.ServerService/ServerInfo", (), False),
    ],
)
def test_the_target_repository_is_found_by_its_option(path: str, target: tuple[str, ...], pool: bool) -> None:
    assert (methods()[path].target, methods()[path].pool) == (target, pool)


def test_every_repository_scoped_rpc_has_a_target() -> None:
    without = [
        m.path
        for m in methods().values()
        if m.scope == "repository" and not m.target and m.operation != "unknown"
    ]
    assert without == []
