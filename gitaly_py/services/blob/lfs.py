"""Pointers to LFS objects among blobs (ref-blob.md 6.5 to 6.8)."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from grpc import StatusCode

from gitaly_py.git.reading.errors import ObjectNotFound
from gitaly_py.git.reading.interface import Reader
from gitaly_py.git.reading.revisions import check_revision
from gitaly_py.git.wire.goquote import quote
from gitaly_py.pb.blob_pb2 import (
    GetLFSPointersRequest,
    ListAllLFSPointersRequest,
    ListLFSPointersRequest,
)
from gitaly_py.rpc.checks import some
from gitaly_py.rpc.status import during
from gitaly_py.services.app import Call
from gitaly_py.services.blob.encoding import MAX_POINTER, encoded_pointers
from gitaly_py.services.blob.processes import Source, contents
from gitaly_py.services.blob.service import service
from gitaly_py.services.blob.stored import stored_blobs
from gitaly_py.services.blob.walks import revisions, walk

_SMALL_BLOB = re.compile(rb"([0-9a-f]+) blob (?:[0-9]{1,2}|1[0-9]{2}|200)")

_PORTION = 256
"""Objects that are asked for, or taken apart, at a stretch."""


@service.rpc(some("blob_ids", otherwise="empty BlobIds"))
async def get_lfs_pointers(call: Call, request: GetLFSPointersRequest) -> AsyncIterator[list[bytes]]:
    """Those of the objects that are pointers, in the order of the request."""
    reader = call.repository.reader()
    ids = [blob_id.encode() for blob_id in request.blob_ids]
    for at in range(0, len(ids), _PORTION):
        small = await _small_blobs(reader, ids[at : at + _PORTION])
        async with aclosing(reader.read_each(small)) as objects:
            found = [(each.oid.encode(), each.data) async for each in objects if each is not None]
        yield encoded_pointers(found)


async def _small_blobs(reader: Reader, ids: list[bytes]) -> list[bytes]:
    """Full ids of those that are blobs as small as pointers. Raises ObjectNotFound."""
    for blob_id in ids:
        with during(f"retrieving object info for {quote(blob_id)}"):
            check_revision(blob_id)
    asked = iter(ids)
    small: list[bytes] = []
    async with aclosing(reader.info_each(ids)) as infos:
        async for info in infos:
            blob_id = next(asked)
            if info is None:
                with during(f"retrieving object info for {quote(blob_id)}"):
                    raise ObjectNotFound(blob_id.decode("utf-8", "replace"))
            if info.type == "blob" and info.size <= MAX_POINTER:
                small.append(info.oid.encode())
    return small


@service.rpc(
    some("revisions", otherwise="missing revisions"), revisions("revisions"), unresolved=StatusCode.INTERNAL
)
async def list_lfs_pointers(call: Call, request: ListLFSPointersRequest) -> AsyncIterator[list[bytes]]:
    """The pointers among the blobs that are reachable from the revisions, in the order of ListBlobs."""
    source = walk(call, request.revisions, filters=[f"--filter=blob:limit={MAX_POINTER}"])
    async with aclosing(_first(call, source, request.limit)) as batches:
        async for pointers in batches:
            yield pointers


@service.rpc()
async def list_all_lfs_pointers(call: Call, request: ListAllLFSPointersRequest) -> AsyncIterator[list[bytes]]:
    """Every pointer of the object store, reachable or not."""
    async with aclosing(_first(call, stored_blobs(_SMALL_BLOB), request.limit)) as batches:
        async for pointers in batches:
            yield pointers


async def _first(call: Call, source: Source, limit: int) -> AsyncGenerator[list[bytes]]:
    """The first `limit` pointers among the blobs, all if that is not positive."""
    left = limit if limit > 0 else sys.maxsize
    async with aclosing(contents(call, source, limit=-1)) as batches:
        async for parts in batches:
            for at in range(0, len(parts), _PORTION):
                found = encoded_pointers((oid, data) for oid, _, data in parts[at : at + _PORTION])
                yield found[:left]
                left -= len(found)
                if left <= 0:
                    return
