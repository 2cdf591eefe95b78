"""A valid request of every RPC that is there, for tests that go over all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import grpc.aio
from google.protobuf.message import Message

from gitaly_py.pb.shared_pb2 import Repository
from gitaly_py.rpc.methods import Method
from gitaly_py.services import handlers

ZERO = b"0" * 40

REQUESTS: Mapping[str, Mapping[str, Any]] = {
    "/gitaly.BlobService/GetBlob": {"oid": "main:file", "limit": -1},
    "/gitaly.BlobService/GetBlobs": {"revision_paths": [{"revision": "main", "path": b"file"}], "limit": -1},
    "/gitaly.CommitService/CommitIsAncestor": {"ancestor_id": "main", "child_id": "main"},
    "/gitaly.CommitService/CommitLanguages": {"revision": b"main"},
    "/gitaly.CommitService/CountCommits": {"revision": b"main"},
    "/gitaly.CommitService/FindCommit": {"revision": b"main"},
    "/gitaly.CommitService/GetTreeEntries": {"revision": b"main", "path": b".", "recursive": True},
    "/gitaly.CommitService/ListCommits": {"revisions": ["main"]},
    "/gitaly.CommitService/TreeEntry": {"revision": b"main", "path": b"file"},
    "/gitaly.HookService/PackObjectsHookWithSidechannel": {"args": ["pack-objects", "--revs", "--stdout"]},
    "/gitaly.RefService/DeleteRefs": {"refs": [b"refs/heads/gone"]},
    "/gitaly.RefService/FindAllTags": {},
    "/gitaly.RefService/FindBranch": {"name": b"main"},
    "/gitaly.RefService/FindDefaultBranchName": {},
    "/gitaly.RefService/FindLocalBranches": {},
    "/gitaly.RefService/ListRefs": {"patterns": [b"refs/"]},
    "/gitaly.RefService/RefExists": {"ref": b"refs/heads/main"},
    "/gitaly.RefService/UpdateReferences": {
        "updates": [{"reference": b"refs/heads/gone", "new_object_id": ZERO}]
    },
    "/gitaly.RepositoryService/CalculateChecksum": {},
    "/gitaly.RepositoryService/CreateRepository": {},
    "/gitaly.RepositoryService/FindLicense": {},
    "/gitaly.RepositoryService/FindMergeBase": {"revisions": [b"main", b"main"]},
    "/gitaly.RepositoryService/GetArchive": {"commit_id": "main", "prefix": "p"},
    "/gitaly.RepositoryService/HasLocalBranches": {},
    "/gitaly.RepositoryService/ObjectFormat": {},
    "/gitaly.RepositoryService/RemoveRepository": {},
    "/gitaly.RepositoryService/RepositoryExists": {},
    "/gitaly.RepositoryService/RepositoryInfo": {},
    "/gitaly.RepositoryService/RepositorySize": {},
    "/gitaly.RepositoryService/WriteRef": {"ref": b"refs/heads/copy", "revision": b"main"},
    "/gitaly.ServerService/DiskStatistics": {},
    "/gitaly.ServerService/ReadinessCheck": {},
    "/gitaly.ServerService/ServerInfo": {},
    "/gitaly.SmartHTTPService/InfoRefsReceivePack": {},
    "/gitaly.SmartHTTPService/InfoRefsUploadPack": {},
    "/gitaly.SmartHTTPService/PostReceivePack": {"gl_id": "user-1", "gl_username": "rosa"},
    "/gitaly.SmartHTTPService/PostUploadPack": {},
    "/gitaly.SmartHTTPService/PostUploadPackWithSidechannel": {},
    "/gitaly.SSHService/SSHReceivePack": {"gl_id": "user-1", "gl_username": "rosa"},
    "/gitaly.SSHService/SSHUploadArchive": {},
    "/gitaly.SSHService/SSHUploadPack": {},
    "/gitaly.SSHService/SSHUploadPackWithSidechannel": {},
}

LOST_STATUS = "Internal error from Core"
"""What grpc.aio says instead of the server's status when a call ends while its request is being written."""
ATTEMPTS = 10
PAUSE_SECONDS = 0.05
"""What a further attempt waits before it writes: by then a call that is refused at once is over."""

CREATING = frozenset({"/gitaly.RepositoryService/CreateRepository"})
"""RPCs whose repository need not exist."""


def present() -> list[Method]:
    """Every RPC of the API that has a handler."""
    return [rpc.method for path, rpc in handlers().items() if path.startswith("/gitaly.")]


def valid_request(method: Method, repository: Repository | None) -> Message:
    """A request that passes every check if `repository` (with a branch `main` and a `file`) does."""
    request = method.request(**REQUESTS[method.path])
    if method.target and repository is not None:
        message: Any = request
        for field in method.target:
            message = getattr(message, field)
        message.CopyFrom(repository)
    return request


async def send(
    channel: grpc.aio.Channel,
    method: Method,
    requests: Sequence[Message],
    metadata: Sequence[tuple[str, str]] = (),
    *,
    half_close: bool = True,
) -> list[Message]:
    """Makes one call, whatever its kind; its response messages.

    half_close: False leaves a request stream open after the last message.
    """
    for attempt in range(ATTEMPTS):
        pause = attempt * PAUSE_SECONDS
        call = begin(channel, method, requests, metadata, half_close=half_close, pause=pause)
        try:
            return [message async for message in call] if method.server_streaming else [await call]
        except grpc.aio.AioRpcError as error:
            if error.details() != LOST_STATUS or attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("not reached")


def begin(
    channel: grpc.aio.Channel,
    method: Method,
    requests: Sequence[Message],
    metadata: Sequence[tuple[str, str]] = (),
    *,
    half_close: bool = True,
    pause: float = 0,
) -> Any:
    """Begins a call and gives back grpc's call object. pause: seconds before a stream's first message."""
    kinds = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
        (True, True): channel.stream_stream,
    }
    make = kinds[method.client_streaming, method.server_streaming](
        method.path,
        request_serializer=method.request.SerializeToString,
        response_deserializer=method.response.FromString,
    )
    argument: Any = _stream(requests, half_close, pause) if method.client_streaming else requests[0]
    return make(argument, metadata=list(metadata))


async def _stream(requests: Sequence[Message], half_close: bool, pause: float) -> AsyncIterator[Message]:
    import asyncio

    if pause:
        await asyncio.sleep(pause)
    for request in requests:
        yield request
    if not half_close:
        await asyncio.Event().wait()
