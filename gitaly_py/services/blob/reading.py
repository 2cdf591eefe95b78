"""Blobs by id and by path (ref-blob.md 6.1, 6.2)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing

from gitaly_py.git.reading.errors import ObjectNotFound
from gitaly_py.git.reading.interface import Reader
from gitaly_py.git.wire.objects import TreeEntry
from gitaly_py.pb import shared_pb2
from gitaly_py.pb.blob_pb2 import (
    GetBlobRequest,
    GetBlobResponse,
    GetBlobsRequest,
    GetBlobsResponse,
)
from gitaly_py.rpc.checks import FieldCheck, some
from gitaly_py.rpc.packer import STREAM_BYTES
from gitaly_py.rpc.status import during
from gitaly_py.services.app import Call
from gitaly_py.services.blob.service import service
from gitaly_py.services.checks import revision_test
from gitaly_py.services.content import Content, small_content, with_content
from gitaly_py.services.tree_lookup import TreeLookup, without_slash

_validate = revision_test()
_OBJECT_TYPES = {
    "commit": shared_pb2.COMMIT,
    "tree": shared_pb2.TREE,
    "blob": shared_pb2.BLOB,
    "tag": shared_pb2.TAG,
}


def _check_revisions(pairs: Iterable[GetBlobsRequest.RevisionPath]) -> None:
    for pair in pairs:
        _validate(pair.revision.encode())


@service.rpc(some("oid", otherwise="empty Oid"))
async def get_blob(
    call: Call, request: GetBlobRequest
) -> GetBlobResponse | AsyncGenerator[GetBlobResponse | Content, None]:
    """The size and the first `limit` bytes of a blob; an empty message for what is no blob."""
    reader = call.repository.reader()
    info = await reader.info(request.oid.encode())
    if info is None or info.type != "blob":
        return GetBlobResponse()
    message = GetBlobResponse(oid=info.oid, size=info.size)
    if info.size > STREAM_BYTES:
        return _sent(with_content(message, reader, info.oid, request.limit))
    with during("send"):
        message.data = await small_content(reader, info.oid, request.limit)
    return message


async def _sent(
    parts: AsyncGenerator[GetBlobResponse | Content, None],
) -> AsyncGenerator[GetBlobResponse | Content, None]:
    with during("send"):
        async with aclosing(parts):
            async for part in parts:
                yield part


@service.rpc(
    some("revision_paths", otherwise="empty RevisionPaths"),
    FieldCheck("revision_paths", _check_revisions),
)
async def get_blobs(call: Call, request: GetBlobsRequest) -> AsyncIterator[GetBlobsResponse | Content]:
    """What is at each path, in the order of the request, with the first `limit` bytes of blobs."""
    reader = call.repository.reader()
    lookup = TreeLookup(reader)
    for pair in request.revision_paths:
        path = without_slash(pair.path)
        message = GetBlobsResponse(revision=pair.revision, path=path)
        entry = await lookup.find(pair.revision.encode(), path)
        if entry is not None:
            await _describe(message, reader, entry)
        if message.type != shared_pb2.BLOB:
            yield message
            continue
        async with aclosing(with_content(message, reader, message.oid, request.limit)) as parts:
            async for part in parts:
                yield part


async def _describe(message: GetBlobsResponse, reader: Reader, entry: TreeEntry) -> None:
    message.oid = entry.oid
    message.mode = entry.mode
    if entry.type == "commit":
        message.type = shared_pb2.COMMIT
        message.is_submodule = True
        return
    info = await reader.info(entry.oid.encode())
    if info is None:
        with during("read object info"):
            raise ObjectNotFound(entry.oid)
    message.type = _OBJECT_TYPES[info.type]
    message.size = info.size
