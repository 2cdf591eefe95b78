"""DiffBlobs for pairs of blobs that are named by id or by path (diff-conflicts.md 9.2)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import NamedTuple

from gitaly_py.git.format import object_format
from gitaly_py.git.reading.interface import Reader
from gitaly_py.git.repository import GitRepository
from gitaly_py.git.updating.quarantine import quarantine
from gitaly_py.git.updating.throwaway import write_object
from gitaly_py.git.wire.diff.limits import BOUNDS, Limits
from gitaly_py.git.wire.diff.parser import DiffParser, FileDiff
from gitaly_py.git.wire.errors import InvalidObjectId
from gitaly_py.git.wire.oids import parse_oid
from gitaly_py.pb.diff_pb2 import DiffBlobsRequest
from gitaly_py.rpc.status import Internal, InvalidArgument, during
from gitaly_py.services.app import Call
from gitaly_py.services.checks import revision_test
from gitaly_py.services.diff import commands
from gitaly_py.services.diff.blob_result import BlobDiff
from gitaly_py.storage.temporary import area

_check_scoped = revision_test(prefix="validating path-scoped revision: ", paths=True)


class _Side(NamedTuple):
    """One blob of a pair. name: as git gets it, empty if the blob is absent; oid: zeros if so."""

    name: bytes
    oid: str


async def compare_pairs(call: Call, request: DiffBlobsRequest) -> AsyncGenerator[BlobDiff, None]:
    """A result for each pair. Raises InvalidArgument for any of them before it gives the first."""
    reader = call.repository.reader()
    pairs = [await _resolved(reader, pair) for pair in request.blob_pairs]
    async with _with_empty_blob(call, pairs) as (repository, empty):
        for left, right in pairs:
            # An empty file added or removed: git is asked for nothing, since it would compare equals.
            if {left.oid, right.oid} == {reader.format.zero_oid, empty}:
                yield BlobDiff(left.oid, right.oid)
                continue
            with during("generating diff"):
                file = await _compared(
                    call, repository, request, left.name or empty.encode(), right.name or empty.encode()
                )
            yield BlobDiff.of(file, left.oid, right.oid)


async def _resolved(reader: Reader, pair: DiffBlobsRequest.BlobPair) -> tuple[_Side, _Side]:
    with during("getting left blob info"):
        left = await _side(reader, pair.left_blob)
    with during("getting right blob info"):
        right = await _side(reader, pair.right_blob)
    if left.oid == right.oid:
        raise InvalidArgument("left and right blob revisions resolve to same OID")
    return left, right


async def _side(reader: Reader, value: bytes) -> _Side:
    zeros = reader.format.zero_oid
    if value == zeros.encode():
        return _Side(b"", zeros)
    if b":" in value:
        _check_scoped(value)
    else:
        _check_oid(reader, value)
    info = await reader.info(value)
    if info is None:
        raise InvalidArgument("getting revision info: object not found")
    if info.type != "blob":
        raise InvalidArgument("revision is not blob")
    return _Side(value, info.oid)


def _check_oid(reader: Reader, value: bytes) -> None:
    try:
        parse_oid(value, reader.format)
    except InvalidObjectId as error:
        raise InvalidArgument(f"validating blob ID: {error}") from error


@asynccontextmanager
async def _with_empty_blob(
    call: Call, pairs: Iterable[tuple[_Side, _Side]]
) -> AsyncIterator[tuple[GitRepository, str]]:
    """The repository with an empty blob, and that one's id, if a blob is absent."""
    repository = call.repository.git
    if all(side.name for pair in pairs for side in pair):
        yield repository, ""
        return
    temporary = area(call.repository.storage_path)
    async with quarantine(repository, call.repository.relative_path, temporary) as further:
        empty = write_object(further.path, object_format(repository.path), "blob", b"")
        yield further.repository, empty


async def _compared(
    call: Call, repository: GitRepository, request: DiffBlobsRequest, left: bytes, right: bytes
) -> FileDiff:
    digits = object_format(repository.path).hex_length
    flags = ["--patch-with-raw", f"--abbrev={digits}", *commands.mode_flags(request)]
    command = commands.diff(flags, left, right)
    parser = DiffParser(_limits(request.patch_bytes_limit))
    async with commands.running(call, command, commands.CONFIG, repository=repository) as process:
        async for chunk in process.chunks():
            for file in parser.feed(chunk):
                # A link and a file under one name are a removal and an addition; the API has the former.
                return file
        await process.check()
    for file in parser.finish():
        return file
    raise Internal("no difference found")


def _limits(patch_bytes: int) -> Limits:
    if patch_bytes <= 0:
        return Limits()
    return Limits(enforce=True, max_patch_bytes=min(patch_bytes, BOUNDS["max_patch_bytes"]))
