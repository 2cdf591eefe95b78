"""DiffBlobs: differences between blobs, which need not be those of two commits (diff-conflicts.md 9)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

from gitaly_py.pb.diff_pb2 import ChangedPaths, DiffBlobsRequest, DiffBlobsResponse
from gitaly_py.rpc.checks import FieldCheck
from gitaly_py.rpc.status import InvalidArgument
from gitaly_py.services.app import Call
from gitaly_py.services.diff.blob_pairs import compare_pairs
from gitaly_py.services.diff.blob_result import BlobDiff
from gitaly_py.services.diff.messages import pieces
from gitaly_py.services.diff.raw_info import compare_changes
from gitaly_py.services.diff.service import service

_PAIRED = (ChangedPaths.RENAMED, ChangedPaths.COPIED)


def _check(request: DiffBlobsRequest) -> None:
    if not request.blob_pairs and not request.raw_info:
        raise InvalidArgument("request contains no file pairs to diff")
    if request.blob_pairs and request.raw_info:
        raise InvalidArgument("blob pairs and raw info both used in request")
    for info in request.raw_info:
        _check_info(info)
    if request.blob_pairs and request.whitespace_changes:
        raise InvalidArgument("whitespace changes cannot be ignored when blob pairs are provided")


def _check_info(info: ChangedPaths) -> None:
    if not info.old_blob_id or not info.new_blob_id:
        raise InvalidArgument("raw info entry missing blob IDs")
    if not info.path:
        raise InvalidArgument("raw info entry missing path")
    if info.status in _PAIRED and not info.old_path:
        raise InvalidArgument("rename/copy raw info entry missing old path")


@service.rpc(FieldCheck(None, _check))
async def diff_blobs(call: Call, request: DiffBlobsRequest) -> AsyncIterator[DiffBlobsResponse]:
    """A result for each pair, in the request's order."""
    compare = compare_pairs if request.blob_pairs else compare_changes
    async with aclosing(compare(call, request)) as found:
        async for each in found:
            for message in _messages(each):
                yield message


def _messages(found: BlobDiff) -> Iterator[DiffBlobsResponse]:
    """The first message says everything but the rest of a long patch."""
    message = DiffBlobsResponse(
        left_blob_id=found.left,
        right_blob_id=found.right,
        binary=found.binary,
        over_patch_bytes_limit=found.over_limit,
        patch_size=found.patch_size,
        lines_added=found.lines_added,
        lines_removed=found.lines_removed,
    )
    for piece, last in pieces(found.patch):
        message.patch = piece
        message.status = (
            DiffBlobsResponse.STATUS_END_OF_PATCH if last else DiffBlobsResponse.STATUS_INCOMPLETE
        )
        yield message
        message = DiffBlobsResponse()
