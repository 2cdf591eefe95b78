"""RepositorySize, GetObjectDirectorySize, RepositoryInfo and ObjectFormat: facts read from the file system
(repository.md).
"""

from __future__ import annotations

from gitaly_py.git.format import object_format as format_of
from gitaly_py.git.wire.objects import SHA256
from gitaly_py.pb import shared_pb2
from gitaly_py.pb.repository_pb2 import (
    GetObjectDirectorySizeRequest,
    GetObjectDirectorySizeResponse,
    ObjectFormatRequest,
    ObjectFormatResponse,
    RepositoryInfoRequest,
    RepositoryInfoResponse,
    RepositorySizeRequest,
    RepositorySizeResponse,
)
from gitaly_py.rpc.status import during
from gitaly_py.services.app import Call
from gitaly_py.services.repository.info_messages import info_message
from gitaly_py.services.repository.service import service
from gitaly_py.storage.info import repository_info as info_of
from gitaly_py.storage.sizes import directory_size


@service.rpc()
async def repository_size(call: Call, request: RepositorySizeRequest) -> RepositorySizeResponse:
    """KiB of all its files, without what it borrows from a pool."""
    return RepositorySizeResponse(size=await directory_size(call.repository.path) // 1024)


@service.rpc()
async def get_object_directory_size(
    call: Call, request: GetObjectDirectorySizeRequest
) -> GetObjectDirectorySizeResponse:
    """KiB of the files in the object directory that the request names, such as a push's quarantine."""
    size = await directory_size(call.repository.object_directory())
    return GetObjectDirectorySizeResponse(size=size // 1024)


@service.rpc()
async def repository_info(call: Call, request: RepositoryInfoRequest) -> RepositoryInfoResponse:
    """What housekeeping needs to know, with the numbers of a linked pool added."""
    return info_message(await info_of(call.repository))


@service.rpc()
async def object_format(call: Call, request: ObjectFormatRequest) -> ObjectFormatResponse:
    """The hash function."""
    with during("detecting object hash"):
        found = format_of(call.repository.path)
    sha256 = found is SHA256
    return ObjectFormatResponse(
        format=shared_pb2.OBJECT_FORMAT_SHA256 if sha256 else shared_pb2.OBJECT_FORMAT_SHA1
    )
