"""Pointers to LFS objects among blobs (ref-blob.md 6.5 to 6.8)."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

from grpc import StatusCode

from gitaly_py.git.commands import Command
from gitaly_py.git.process import Process
from gitaly_py.git.reading.interface import Reader
from gitaly_py.git.reading.revisions import check_revision
from gitaly_py.git.wire.goquote import quote
from gitaly_py.git.wire.oids import is_oid
from gitaly_py.pb.blob_pb2 import (
    GetLFSPointersRequest,
    ListAllLFSPointersRequest,
    ListLFSPointersRequest,
)
from gitaly_py.rpc.checks import some
from gitaly_py.rpc.packer import Encoded
from gitaly_py.rpc.status import Internal, during
from gitaly_py.services.app import Call
from gitaly_py.services.blob.encoding import MAX_POINTER, encoded_pointers
from gitaly_py.services.blob.service import service
from gitaly_py.services.blob.stored import stored_blobs
from gitaly_py.services.blob.walks import revisions, walk
from gitaly_py.services.piping import Source, contents

_SMALL_BLOB = re.compile(rb"([0-9a-f]+) blob (?:[0-9]{1,2}|1[0-9]{2}|200)")

_MISSING = b" missing"

_FEW = 64
"""So many objects are looked up one by one, which is quicker than to start git."""

_PORTION = 256
"""Objects that are asked for, or taken apart, at a stretch."""


@service.rpc(some("blob_ids", otherwise="empty BlobIds"))
async def get_lfs_pointers(call: Call, request: GetLFSPointersRequest) -> AsyncIterator[Encoded]:
    """Those of the objects that are pointers, in the order of the request."""
    reader = call.repository.reader()
    ids = [blob_id.encode() for blob_id in request.blob_ids]
    if len(ids) > _FEW and all(is_oid(blob_id, reader.format) for blob_id in ids):
        async with aclosing(_first(call, _Given(ids).source(), 0)) as batches:
            async for pointers in batches:
                yield pointers
        return
    for at in range(0, len(ids), _PORTION):
        small = await _small_blobs(reader, ids[at : at + _PORTION])
        async with aclosing(reader.read_each(small)) as objects:
            found = [(each.oid.encode(), each.data) async for each in objects if each is not None]
        encoded = b"".join(encoded_pointers(found))
        if encoded:
            yield Encoded(encoded)


class _Given:
    """Chooses small blobs among objects that are given by full ids, up to the first that is missing."""

    def __init__(self, ids: Sequence[bytes]) -> None:
        self._ids = ids
        self._missing = b""

    def source(self) -> Source:
        """Where the chosen ones come from, in the order in which they are given."""
        command = Command(name="cat-file", flags=["--batch-check", "--buffer"])
        return Source(command, self._check, b"\n".join(self._ids) + b"\n", self._choose)

    def _choose(self, lines: list[bytes]) -> list[bytes]:
        chosen: list[bytes] = []
        for line in () if self._missing else lines:
            small = _SMALL_BLOB.fullmatch(line)
            if small is not None:
                chosen.append(small[1])
            elif line.endswith(_MISSING):
                self._missing = line.removesuffix(_MISSING)
                break
        return chosen

    async def _check(self, process: Process) -> None:
        await process.check()
        if self._missing:
            raise _not_found(self._missing)


async def _small_blobs(reader: Reader, ids: list[bytes]) -> list[bytes]:
    """Full ids of those that are blobs as small as pointers. Raises Internal for one that is missing."""
    for blob_id in ids:
        with during(f"retrieving object info for {quote(blob_id)}"):
            check_revision(blob_id)
    asked = iter(ids)
    small: list[bytes] = []
    async with aclosing(reader.info_each(ids)) as infos:
        async for info in infos:
            blob_id = next(asked)
            if info is None:
                raise _not_found(blob_id)
            if info.type == "blob" and info.size <= MAX_POINTER:
                small.append(info.oid.encode())
    return small


def _not_found(blob_id: bytes) -> Internal:
    return Internal(f"retrieving object info for {quote(blob_id)}: object not found")


@service.rpc(
    some("revisions", otherwise="missing revisions"), revisions("revisions"), unresolved=StatusCode.INTERNAL
)
async def list_lfs_pointers(call: Call, request: ListLFSPointersRequest) -> AsyncIterator[Encoded]:
    """The pointers among the blobs that are reachable from the revisions, in the order of ListBlobs."""
    source = walk(call, request.revisions, filters=[f"--filter=blob:limit={MAX_POINTER}"])
    async with aclosing(_first(call, source, request.limit)) as batches:
        async for pointers in batches:
            yield pointers


@service.rpc()
async def list_all_lfs_pointers(call: Call, request: ListAllLFSPointersRequest) -> AsyncIterator[Encoded]:
    """Every pointer of the object store, reachable or not."""
    async with aclosing(_first(call, stored_blobs(_SMALL_BLOB), request.limit)) as batches:
        async for pointers in batches:
            yield pointers


async def _first(call: Call, source: Source, limit: int) -> AsyncGenerator[Encoded]:
    """The first `limit` pointers among the blobs, all if that is not positive."""
    left = limit if limit > 0 else sys.maxsize
    async with aclosing(contents(call, source, limit=-1)) as batches:
        async for parts in batches:
            for at in range(0, len(parts), _PORTION):
                found = encoded_pointers((oid, data) for oid, _, data in parts[at : at + _PORTION])
                if found:
                    yield Encoded(b"".join(found[:left]))
                left -= len(found)
                if left <= 0:
                    return
