"""CreateRepository, RemoveRepository and RepositoryExists (repository.md)."""

from __future__ import annotations

from gitaly_py.git.wire.goquote import quote
from gitaly_py.git.wire.objects import SHA1, SHA256
from gitaly_py.pb import shared_pb2
from gitaly_py.pb.repository_pb2 import (
    CreateRepositoryRequest,
    CreateRepositoryResponse,
    RemoveRepositoryRequest,
    RemoveRepositoryResponse,
    RepositoryExistsRequest,
    RepositoryExistsResponse,
)
from gitaly_py.rpc.checks import FieldCheck
from gitaly_py.rpc.service import RepositoryRule
from gitaly_py.rpc.status import InvalidArgument, during
from gitaly_py.services.app import Call
from gitaly_py.services.repository.service import service
from gitaly_py.services.resolving import resolve
from gitaly_py.storage.creation import creating
from gitaly_py.storage.errors import RepositoryNotFound, RepositoryNotValid
from gitaly_py.storage.removal import remove

_FORMATS = {
    shared_pb2.OBJECT_FORMAT_UNSPECIFIED: SHA1,
    shared_pb2.OBJECT_FORMAT_SHA1: SHA1,
    shared_pb2.OBJECT_FORMAT_SHA256: SHA256,
}


def _known_format(number: int) -> None:
    if number not in _FORMATS:
        raise InvalidArgument(f"unknown object format: {quote(str(number))}")


@service.rpc(repository=RepositoryRule.NOWHERE)
async def repository_exists(call: Call, request: RepositoryExistsRequest) -> RepositoryExistsResponse:
    """Whether there is a repository; a directory that is none counts as absent."""
    try:
        resolve(call.app, call.target, RepositoryRule.EXISTING)
    except (RepositoryNotFound, RepositoryNotValid):
        return RepositoryExistsResponse(exists=False)
    return RepositoryExistsResponse(exists=True)


@service.rpc(FieldCheck("object_format", _known_format), repository=RepositoryRule.CREATING)
async def create_repository(call: Call, request: CreateRepositoryRequest) -> CreateRepositoryResponse:
    """Creates an empty repository; AlreadyExists when anything is at its path."""
    with during("creating repository"):
        async with creating(
            call.repository, object_format=_FORMATS[request.object_format], branch=request.default_branch
        ):
            pass
    return CreateRepositoryResponse()


@service.rpc()
async def remove_repository(call: Call, request: RemoveRepositoryRequest) -> RemoveRepositoryResponse:
    """Removes the repository; it is gone at once, its files shortly after."""
    await remove(call.repository, call.app.generations)
    return RemoveRepositoryResponse()
