"""ListBlobs and ListAllBlobs (ref-blob.md 6.3, 6.4)."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from grpc import StatusCode

from gitaly_py.pb.blob_pb2 import ListAllBlobsRequest, ListBlobsRequest
from gitaly_py.rpc.checks import some
from gitaly_py.rpc.packer import Encoded
from gitaly_py.services.app import Call
from gitaly_py.services.blob.encoding import BlobEncoder
from gitaly_py.services.blob.processes import Source, contents, sizes
from gitaly_py.services.blob.service import service
from gitaly_py.services.blob.stored import stored_blobs
from gitaly_py.services.blob.walks import revisions, walk


@service.rpc(some("revisions", otherwise="missing revisions"), revisions("revisions"))
async def list_blobs(call: Call, request: ListBlobsRequest) -> AsyncIterator[Encoded]:
    """The blobs that are reachable from the revisions, with their first `bytes_limit` bytes."""
    paths: deque[bytes] | None = deque() if request.with_paths else None
    source = walk(call, request.revisions, paths=paths)
    async with aclosing(_listed(call, source, request, paths)) as entries:
        async for some_entries in entries:
            yield some_entries


@service.rpc(unresolved=StatusCode.INTERNAL)
async def list_all_blobs(call: Call, request: ListAllBlobsRequest) -> AsyncIterator[Encoded]:
    """Every blob of the object store, reachable or not, with its first `bytes_limit` bytes."""
    async with aclosing(_listed(call, stored_blobs(), request, None)) as entries:
        async for some_entries in entries:
            yield some_entries


async def _listed(
    call: Call,
    source: Source,
    request: ListBlobsRequest | ListAllBlobsRequest,
    paths: deque[bytes] | None,
) -> AsyncGenerator[Encoded]:
    """The blobs of `source` as the request wants them. paths: what `source` fills with their paths."""
    taken = None if paths is None else iter(paths.popleft, None)
    encoder = BlobEncoder(call.repository.reader().format.hex_length, taken)
    if request.bytes_limit == 0:
        async with aclosing(sizes(call, source, request.limit)) as batches:
            async for blobs in batches:
                for entries in encoder.sizes(blobs):
                    yield Encoded(entries)
        return
    async with aclosing(contents(call, source, request.bytes_limit, request.limit)) as portions:
        async for parts in portions:
            for entries in encoder.contents(parts):
                yield Encoded(entries)
