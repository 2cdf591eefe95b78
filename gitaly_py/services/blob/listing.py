"""ListBlobs and ListAllBlobs (ref-blob.md 6.3, 6.4)."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import aclosing

from grpc import StatusCode

from gitaly_py.pb.blob_pb2 import ListAllBlobsRequest, ListBlobsRequest
from gitaly_py.rpc.checks import some
from gitaly_py.rpc.packer import Encoded
from gitaly_py.services.app import Call
from gitaly_py.services.blob.encoding import BlobEncoder
from gitaly_py.services.blob.processes import blobs
from gitaly_py.services.blob.service import service
from gitaly_py.services.blob.stored import stored_blobs
from gitaly_py.services.blob.walks import revisions, walk


@service.rpc(some("revisions", otherwise="missing revisions"), revisions("revisions"))
async def list_blobs(call: Call, request: ListBlobsRequest) -> AsyncIterator[Encoded]:
    """The blobs that are reachable from the revisions, with their first `bytes_limit` bytes."""
    paths: deque[bytes] | None = deque() if request.with_paths else None
    taken = None if paths is None else iter(paths.popleft, None)
    encoder = BlobEncoder(call.repository.reader().format.hex_length, taken)
    source = walk(call, request.revisions, paths=paths)
    async with aclosing(blobs(call, source, limit=request.bytes_limit, count=request.limit)) as batches:
        async for parts in batches:
            for piece in encoder.encode(parts):
                yield Encoded(piece)


@service.rpc(unresolved=StatusCode.INTERNAL)
async def list_all_blobs(call: Call, request: ListAllBlobsRequest) -> AsyncIterator[Encoded]:
    """Every blob of the object store, reachable or not, with its first `bytes_limit` bytes."""
    encoder = BlobEncoder(call.repository.reader().format.hex_length)
    async with aclosing(
        blobs(call, stored_blobs(), limit=request.bytes_limit, count=request.limit)
    ) as batches:
        async for parts in batches:
            for piece in encoder.encode(parts):
                yield Encoded(piece)
