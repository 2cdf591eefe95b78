"""Tables over every RPC that is there: an RPC is covered from the day it is written."""

from __future__ import annotations

import asyncio
import stat
import time
from collections.abc import AsyncIterator
from typing import NamedTuple

import grpc.aio
import psutil
import pytest
import pytest_asyncio
from grpc import StatusCode

from gitaly_py.pb.shared_pb2 import Repository
from gitaly_py.rpc.credentials import bearer
from gitaly_py.rpc.methods import Method, all_methods
from tests.support.daemon import Daemon, lives
from tests.support.fixtures import repository_in
from tests.support.requests import CREATING, REQUESTS, begin, present, send, valid_request
from tests.support.status import refused

PRESENT = present()
WITH_REPOSITORY = [method for method in PRESENT if method.target]
INTERNAL_WHEN_A_FILE = {
    "/gitaly.BlobService/ListAllBlobs",
    "/gitaly.BlobService/ListLFSPointers",
    "/gitaly.RepositoryService/FastExport",
    "/gitaly.RepositoryService/RepositoryExists",
    "/gitaly.RefService/UpdateReferences",
    "/gitaly.SSHService/SSHUploadPackWithSidechannel",
}
EXISTS = "/gitaly.RepositoryService/RepositoryExists"
FOUND_BY_RUNNING_GIT = "/gitaly.RepositoryService/FastExport"
"""The RPC that tells of a bad repository as of a git that could not be started."""


class Fault(NamedTuple):
    """A repository that must be refused (repository.md A2). needs_disk: creating RPCs don't look so far."""

    name: str
    code: StatusCode
    text: str
    repository: Repository | None
    needs_disk: bool = False

    def __str__(self) -> str:
        return self.name


def at(relative_path: str, storage: str = "default") -> Repository:
    return Repository(storage_name=storage, relative_path=relative_path)


INVALID, MISSING = StatusCode.INVALID_ARGUMENT, StatusCode.NOT_FOUND
FAULTS = [
    Fault("absent", INVALID, "repository not set", None),
    Fault("empty", INVALID, "repository not set", Repository()),
    Fault("no path", INVALID, "repository path not set", at("")),
    Fault("no storage", INVALID, "storage name not set", at("a.git", "")),
    Fault("unknown storage", INVALID, "storage name not found", at("a.git", "unknown")),
    Fault("storage gone", MISSING, "storage does not exist", at("a.git", "gone")),
    Fault("escapes", INVALID, "relative path escapes root directory", at("a/../../b.git")),
    Fault("escapes by a slash", INVALID, "relative path escapes root directory", at("/../b.git")),
    Fault("not there", MISSING, "repository not found", at("nowhere.git"), True),
    Fault(
        "not valid",
        StatusCode.FAILED_PRECONDITION,
        'repository not valid: "objects" does not exist',
        at("empty-folder"),
        True,
    ),
    Fault("a file", INVALID, "validate git directory: not a directory", at("file"), True),
]


@pytest.fixture(scope="module", autouse=True)
def odd_paths(daemon: Daemon) -> None:
    (daemon.storage / "empty-folder").mkdir(exist_ok=True)
    (daemon.storage / "file").touch()


def test_every_rpc_has_a_valid_request() -> None:
    assert {method.path for method in PRESENT} == set(REQUESTS)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize("method", WITH_REPOSITORY, ids=str)
async def test_every_rpc_checks_its_repository(daemon: Daemon, method: Method, fault: Fault) -> None:
    if fault.needs_disk and method.path in CREATING:
        pytest.skip("creates what is not there")
    request = valid_request(method, fault.repository)
    if method.path == EXISTS and fault.name in {"not there", "not valid"}:
        (response,) = await send(daemon.channel, method, [request])
        assert not response.exists
        return
    code, text = fault.code, fault.text
    if method.path == FOUND_BY_RUNNING_GIT:
        text = f"cmd start failed: get repo path: {text}" if fault.repository else "repository is not set"
    if fault.name == "a file" and method.path in INTERNAL_WHEN_A_FILE:
        code = StatusCode.INTERNAL
    async with refused(code, text):
        await send(daemon.channel, method, [request])


@pytest.mark.parametrize("method", WITH_REPOSITORY, ids=str)
async def test_every_rpc_refuses_a_nul_byte_in_the_path(daemon: Daemon, method: Method) -> None:
    async with refused_with(StatusCode.INVALID_ARGUMENT, StatusCode.INTERNAL):
        await send(daemon.channel, method, [valid_request(method, at("a\0b.git"))])
    assert not [path for path in daemon.storage.iterdir() if path.name.startswith("a")]


class refused_with:  # noqa: N801 - reads as a sentence
    """The block must raise an RPC error with one of these codes."""

    def __init__(self, *codes: StatusCode) -> None:
        self._codes = codes

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, kind: object, error: object, trace: object) -> bool:
        assert isinstance(error, grpc.aio.AioRpcError), error
        assert error.code() in self._codes, error
        return True


@pytest_asyncio.fixture(scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory, engine: str) -> AsyncIterator[Daemon]:
    """A daemon that demands a token."""
    started = Daemon(tmp_path_factory.mktemp("guarded"), engine=engine, token="s3cret").start()
    yield started
    await started.close_channel()
    assert started.stop() == 0


@pytest.mark.parametrize("method", PRESENT, ids=str)
async def test_every_rpc_refuses_a_missing_token(guarded: Daemon, method: Method) -> None:
    async with refused(StatusCode.UNAUTHENTICATED, "authentication required"):
        await send(guarded.channel, method, [valid_request(method, at("a.git"))])


@pytest.mark.parametrize("method", PRESENT, ids=str)
async def test_every_rpc_refuses_a_wrong_token(guarded: Daemon, method: Method) -> None:
    metadata = [("authorization", bearer("other", int(time.time())))]
    async with refused(StatusCode.PERMISSION_DENIED, "permission denied: wrong hmac signature"):
        await send(guarded.channel, method, [valid_request(method, at("a.git"))], metadata)


async def test_a_right_token_passes(guarded: Daemon) -> None:
    method = next(method for method in PRESENT if method.name == "ServerInfo")
    metadata = [("authorization", bearer("s3cret", int(time.time())))]
    (response,) = await send(guarded.channel, method, [method.request()], metadata)
    assert response.server_version


@pytest.mark.parametrize(
    "method", [method for method in all_methods() if method.path not in REQUESTS], ids=str
)
async def test_an_rpc_without_a_handler_is_unimplemented(daemon: Daemon, method: Method) -> None:
    async with refused(
        StatusCode.UNIMPLEMENTED, f"unknown method {method.name} for service {method.service}"
    ):
        await send(daemon.channel, method, [method.request()])


STALLING_GIT = """#!/bin/sh
# Stands for a git that never ends, so that whoever starts one must end it.
for argument; do
    [ "$argument" = version ] && exec git version
done
exec sleep 600
"""


@pytest_asyncio.fixture(scope="module")
async def stalling(tmp_path_factory: pytest.TempPathFactory, engine: str) -> AsyncIterator[Daemon]:
    """A daemon whose git processes never end by themselves."""
    root = tmp_path_factory.mktemp("stalling")
    script = root / "stalling-git"
    script.write_text(STALLING_GIT)
    script.chmod(stat.S_IRWXU)
    started = Daemon(root, engine=engine, environment={"GITALY_TESTING_GIT_BINARY": str(script)}).start()
    yield started
    await started.close_channel()
    assert started.stop() == 0


async def all_ended(processes: list[psutil.Process], seconds: float) -> bool:
    for _ in range(int(seconds / 0.05)):
        if not any(map(lives, processes)):
            return True
        await asyncio.sleep(0.05)
    return False


@pytest.mark.parametrize("method", WITH_REPOSITORY, ids=str)
async def test_every_rpc_ends_its_children_when_the_client_hangs_up(stalling: Daemon, method: Method) -> None:
    repo = repository_in(stalling.storage)
    repo.commit("subject", files={"file": b"content"}, ref="refs/heads/main")
    call = begin(stalling.channel, method, [valid_request(method, repo.message)], half_close=False)
    for _ in range(40):
        if stalling.children() or call.done():
            break
        await asyncio.sleep(0.02)
    children = stalling.children()
    call.cancel()
    assert await all_ended(children, 5), children
    await asyncio.sleep(0)
    assert not [child for child in stalling.children() if child in children]


async def test_a_walk_does_start_a_child_that_must_be_ended(stalling: Daemon) -> None:
    repo = repository_in(stalling.storage)
    method = next(method for method in PRESENT if method.name == "CountCommits")
    call = begin(stalling.channel, method, [valid_request(method, repo.message)])
    for _ in range(250):
        if stalling.children():
            break
        await asyncio.sleep(0.02)
    assert stalling.children()
    call.cancel()
    assert await all_ended(stalling.children(), 5)
