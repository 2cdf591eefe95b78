from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc import StatusCode
from grpc_reflection.v1alpha.reflection_pb2 import (
    ExtensionRequest,
    ServerReflectionRequest,
    ServerReflectionResponse,
)

from gitaly_py.pb.shared_pb2 import GitCommit
from gitaly_py.rpc.methods import Method, methods
from tests.support.daemon import Daemon
from tests.support.requests import send
from tests.support.status import refused

SHARED = GitCommit.DESCRIPTOR.file.name
VERSIONS = ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]


@pytest.fixture(params=VERSIONS, ids=["v1", "v1alpha"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def ask(daemon: Daemon, version: str, *questions: dict[str, Any]) -> list[ServerReflectionResponse]:
    """Puts the questions on one stream."""
    method = Method(
        version,
        "ServerReflectionInfo",
        ServerReflectionRequest,
        ServerReflectionResponse,
        client_streaming=True,
        server_streaming=True,
    )
    requests = [ServerReflectionRequest(**question) for question in questions]
    responses: list[Any] = await send(daemon.channel, method, requests)
    return responses


async def services(daemon: Daemon, version: str) -> list[str]:
    (response,) = await ask(daemon, version, {"list_services": ""})
    return [service.name for service in response.list_services_response.service]


async def test_every_service_of_the_api_is_listed(daemon: Daemon, version: str) -> None:
    listed = await services(daemon, version)

    assert {method.service for method in methods().values()} <= set(listed)
    assert {"grpc.health.v1.Health", *VERSIONS} <= set(listed)
    assert listed == sorted(set(listed))


async def test_every_listed_service_can_be_described(daemon: Daemon, version: str) -> None:
    listed = await services(daemon, version)

    answers = await ask(daemon, version, *({"file_containing_symbol": name} for name in listed))

    for name, answer in zip(listed, answers, strict=True):
        pool = pool_of(answer)
        assert pool.FindServiceByName(name).methods, name


def pool_of(answer: ServerReflectionResponse) -> descriptor_pool.DescriptorPool:
    """The files of an answer, which must be complete."""
    assert answer.WhichOneof("message_response") == "file_descriptor_response", answer
    files = [
        descriptor_pb2.FileDescriptorProto.FromString(data)
        for data in answer.file_descriptor_response.file_descriptor_proto
    ]
    pool = descriptor_pool.DescriptorPool()
    waiting = {file.name: file for file in files}
    while waiting:
        ready = [file for file in waiting.values() if not set(file.dependency) & set(waiting)]
        assert ready, f"files depend on one another: {sorted(waiting)}"
        for file in ready:
            pool.Add(file)  # type: ignore[attr-defined]
            del waiting[file.name]
    return pool


@pytest.mark.parametrize(
    "symbol", ["gitaly.GitCommit", "gitaly.CommitService.FindCommit", "gitaly.Repository.relative_path"]
)
async def test_a_symbol_is_found_in_its_file(daemon: Daemon, version: str, symbol: str) -> None:
    (answer,) = await ask(daemon, version, {"file_containing_symbol": symbol})

    assert "GitCommit" in pool_of(answer).FindFileByName(SHARED).message_types_by_name


async def test_a_file_is_found_by_its_name(daemon: Daemon, version: str) -> None:
    name = methods()["/gitaly.CommitService/FindCommit"].request.DESCRIPTOR.file.name
    (answer,) = await ask(daemon, version, {"file_by_filename": name})

    assert list(pool_of(answer).FindFileByName(name).services_by_name) == ["CommitService"]


async def test_extensions_are_found(daemon: Daemon, version: str) -> None:
    options = "google.protobuf.MethodOptions"
    (numbers,) = await ask(daemon, version, {"all_extension_numbers_of_type": options})
    found = list(numbers.all_extension_numbers_response.extension_number)
    wanted = ExtensionRequest(containing_type=options, extension_number=found[0])

    (answer,) = await ask(daemon, version, {"file_containing_extension": wanted})

    assert numbers.all_extension_numbers_response.base_type_name == options
    assert found == sorted(found)
    assert pool_of(answer)


async def test_what_is_unknown_is_not_found_and_ends_nothing(daemon: Daemon, version: str) -> None:
    unknown = ExtensionRequest(containing_type="google.protobuf.MethodOptions", extension_number=1)
    questions: list[dict[str, Any]] = [
        {"file_by_filename": "none.proto"},
        {"file_containing_symbol": "gitaly.None"},
        {"file_containing_extension": unknown},
        {"all_extension_numbers_of_type": "gitaly.None"},
        {"list_services": "", "host": "h"},
    ]

    *unknowns, listed = await ask(daemon, version, *questions)

    assert [answer.error_response.error_code for answer in unknowns] == [StatusCode.NOT_FOUND.value[0]] * 4
    assert all(answer.error_response.error_message for answer in unknowns)
    assert listed.list_services_response.service
    assert (listed.valid_host, listed.original_request.host) == ("h", "h")


async def test_a_question_that_asks_nothing_is_refused(daemon: Daemon, version: str) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, "invalid MessageRequest"):
        await ask(daemon, version, {})


@pytest_asyncio.fixture(scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory, engine: str) -> AsyncIterator[Daemon]:
    started = Daemon(tmp_path_factory.mktemp("guarded"), engine=engine, token="s3cret").start()
    yield started
    await started.close_channel()
    assert started.stop() == 0


async def test_a_token_is_needed(guarded: Daemon, version: str) -> None:
    async with refused(StatusCode.UNAUTHENTICATED, "authentication required"):
        await ask(guarded, version, {"list_services": ""})
