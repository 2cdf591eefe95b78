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
EMPTY_TREE = b"4b825dc642cb6eb9a060e54bf8d69288fbee4904"

REQUESTS: Mapping[str, Mapping[str, Any]] = {
    "/gitaly.AnalysisService/CheckBlobsGenerated": {"blobs": [{"revision": b"main:file", "path": b"file"}]},
    "/gitaly.BlobService/GetBlob": {"oid": "main:file", "limit": -1},
    "/gitaly.BlobService/GetBlobs": {"revision_paths": [{"revision": "main", "path": b"file"}], "limit": -1},
    "/gitaly.BlobService/GetLFSPointers": {"blob_ids": ["main:file"]},
    "/gitaly.BlobService/ListAllBlobs": {"bytes_limit": -1},
    "/gitaly.BlobService/ListAllLFSPointers": {},
    "/gitaly.BlobService/ListBlobs": {"revisions": ["main"], "bytes_limit": -1, "with_paths": True},
    "/gitaly.BlobService/ListLFSPointers": {"revisions": ["main"]},
    "/gitaly.CommitService/CheckObjectsExist": {"revisions": [b"main"]},
    "/gitaly.CommitService/CommitIsAncestor": {"ancestor_id": "main", "child_id": "main"},
    "/gitaly.CommitService/CommitLanguages": {"revision": b"main"},
    "/gitaly.CommitService/CommitStats": {"revision": b"main"},
    "/gitaly.CommitService/CommitsByMessage": {"query": "commit"},
    "/gitaly.CommitService/CountCommits": {"revision": b"main"},
    "/gitaly.CommitService/CountDivergingCommits": {"from": b"main", "to": b"main"},
    "/gitaly.CommitService/FilterShasWithSignatures": {"shas": [b"main"]},
    "/gitaly.CommitService/FindAllCommits": {},
    "/gitaly.CommitService/FindCommit": {"revision": b"main"},
    "/gitaly.CommitService/FindCommits": {"revision": b"main", "limit": 10},
    "/gitaly.CommitService/GetCommitMessages": {"commit_ids": ["main"]},
    "/gitaly.CommitService/GetCommitSignatures": {"commit_ids": [ZERO.decode()]},
    "/gitaly.CommitService/GetTreeEntries": {"revision": b"main", "path": b".", "recursive": True},
    "/gitaly.CommitService/LastCommitForPath": {"revision": b"main", "path": b"file"},
    "/gitaly.CommitService/ListAllCommits": {},
    "/gitaly.CommitService/ListCommits": {"revisions": ["main"]},
    "/gitaly.CommitService/ListCommitsByOid": {"oid": ["main"]},
    "/gitaly.CommitService/ListCommitsByRefName": {"ref_names": [b"main"]},
    "/gitaly.CommitService/ListFiles": {"revision": b"main"},
    "/gitaly.CommitService/ListLastCommitsForTree": {"revision": "main", "limit": 100},
    "/gitaly.CommitService/RawBlame": {"revision": b"main", "path": b"file"},
    "/gitaly.CommitService/TreeEntry": {"revision": b"main", "path": b"file"},
    "/gitaly.ConflictsService/ListConflictFiles": {"our_commit_oid": "main", "their_commit_oid": "main"},
    "/gitaly.DiffService/CommitDelta": {"left_commit_id": "main", "right_commit_id": "main"},
    "/gitaly.DiffService/CommitDiff": {"left_commit_id": "main", "right_commit_id": "main"},
    "/gitaly.DiffService/DiffBlobs": {"blob_pairs": [{"left_blob": b"main:file", "right_blob": ZERO}]},
    "/gitaly.DiffService/DiffStats": {"left_commit_id": "main", "right_commit_id": "main"},
    "/gitaly.DiffService/FindChangedPaths": {"requests": [{"commit_request": {"commit_revision": "main"}}]},
    "/gitaly.DiffService/GetPatchID": {"old_revision": EMPTY_TREE, "new_revision": b"main"},
    "/gitaly.DiffService/RangeDiff": {"revision_range": {"rev1": "main", "rev2": "main"}},
    "/gitaly.DiffService/RawDiff": {"left_commit_id": "main", "right_commit_id": "main"},
    "/gitaly.DiffService/RawPatch": {"left_commit_id": "main", "right_commit_id": "main"},
    "/gitaly.DiffService/RawRangeDiff": {"revision_range": {"rev1": "main", "rev2": "main"}},
    "/gitaly.HookService/PackObjectsHookWithSidechannel": {"args": ["pack-objects", "--revs", "--stdout"]},
    "/gitaly.RefService/DeleteRefs": {"refs": [b"refs/heads/gone"]},
    "/gitaly.RefService/FindAllBranches": {"merged_only": True},
    "/gitaly.RefService/FindAllRemoteBranches": {"remote_name": "origin"},
    "/gitaly.RefService/FindAllTags": {},
    "/gitaly.RefService/FindBranch": {"name": b"main"},
    "/gitaly.RefService/FindDefaultBranchName": {},
    "/gitaly.RefService/FindLocalBranches": {},
    "/gitaly.RefService/FindRefsByOID": {"oid": "main", "sort_field": "objectname"},
    "/gitaly.RefService/FindTag": {"tag_name": b"v1"},
    "/gitaly.RefService/GetTagMessages": {"tag_ids": ["v1"]},
    "/gitaly.RefService/GetTagSignatures": {"tag_revisions": ["main", "--not", "--tags"]},
    "/gitaly.RefService/ListBranchNamesContainingCommit": {"commit_id": ZERO.decode()},
    "/gitaly.RefService/ListRefs": {"patterns": [b"refs/"]},
    "/gitaly.RefService/ListTagNamesContainingCommit": {"commit_id": ZERO.decode()},
    "/gitaly.RefService/RefExists": {"ref": b"refs/heads/main"},
    "/gitaly.RefService/UpdateReferences": {
        "updates": [{"reference": b"refs/heads/gone", "new_object_id": ZERO}]
    },
    "/gitaly.RefTransaction/StopTransaction": {"transaction_id": 1},
    "/gitaly.RefTransaction/VoteTransaction": {"transaction_id": 1, "reference_updates_hash": bytes(20)},
    "/gitaly.RepositoryService/BackupCustomHooks": {},
    "/gitaly.RepositoryService/CalculateChecksum": {},
    "/gitaly.RepositoryService/CreateBundle": {},
    "/gitaly.RepositoryService/CreateBundleFromRefList": {"patterns": [b"--all"]},
    "/gitaly.RepositoryService/CreateRepository": {},
    "/gitaly.RepositoryService/FastExport": {},
    "/gitaly.RepositoryService/FindLicense": {},
    "/gitaly.RepositoryService/FindMergeBase": {"revisions": [b"main", b"main"]},
    "/gitaly.RepositoryService/Fsck": {},
    "/gitaly.RepositoryService/GetArchive": {"commit_id": "main", "prefix": "p"},
    "/gitaly.RepositoryService/GetRawChanges": {"from_revision": "main", "to_revision": "main"},
    "/gitaly.RepositoryService/GetConfig": {},
    "/gitaly.RepositoryService/GetFileAttributes": {
        "revision": b"main",
        "paths": ["file"],
        "attributes": ["text"],
    },
    "/gitaly.RepositoryService/GetInfoAttributes": {},
    "/gitaly.RepositoryService/GetObjectDirectorySize": {},
    "/gitaly.RepositoryService/GetCustomHooks": {},
    "/gitaly.RepositoryService/GetSnapshot": {},
    "/gitaly.RepositoryService/HasLocalBranches": {},
    "/gitaly.RepositoryService/ObjectFormat": {},
    "/gitaly.RepositoryService/ObjectsSize": {"revisions": [b"main"]},
    "/gitaly.RepositoryService/RemoveRepository": {},
    "/gitaly.RepositoryService/RepositoryExists": {},
    "/gitaly.RepositoryService/RepositoryInfo": {},
    "/gitaly.RepositoryService/RepositorySize": {},
    "/gitaly.RepositoryService/SearchFilesByContent": {"query": "content", "ref": b"main"},
    "/gitaly.RepositoryService/SearchFilesByName": {"query": ".", "ref": b"main", "filter": "f.*e"},
    "/gitaly.RepositoryService/WriteRef": {"ref": b"refs/heads/copy", "revision": b"main"},
    "/gitaly.ServerService/DiskStatistics": {},
    "/gitaly.ServerService/ReadinessCheck": {},
    "/gitaly.ServerService/ServerInfo": {},
    "/gitaly.ServerService/ServerSignature": {},
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
