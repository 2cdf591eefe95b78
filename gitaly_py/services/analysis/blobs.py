"""CheckBlobsGenerated: which blobs of a diff are generated files (commit.md 5)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from gitaly_py.detection.rules.generated import is_generated
from gitaly_py.git.reading.errors import ObjectNotFound
from gitaly_py.git.reading.interface import ObjectInfo, Reader
from gitaly_py.pb.analysis_pb2 import CheckBlobsGeneratedRequest, CheckBlobsGeneratedResponse
from gitaly_py.rpc.packer import CHUNK_BYTES
from gitaly_py.rpc.status import InvalidArgument, during
from gitaly_py.services.analysis.service import service
from gitaly_py.services.app import Call
from gitaly_py.services.checks import revision_test

_SAMPLE_BYTES = 2048

_validate_revision = revision_test(prefix="validating request: ", paths=True)


@service.rpc(no_request="receiving first request: EOF")
async def check_blobs_generated(
    call: Call, requests: AsyncIterator[CheckBlobsGeneratedRequest]
) -> AsyncIterator[CheckBlobsGeneratedResponse]:
    """The answer to each request as soon as it is there."""
    reader = call.repository.reader()
    async for request in requests:
        _validate(request)
        async with aclosing(_answers(reader, request)) as answers:
            async for answer in answers:
                yield answer


def _validate(request: CheckBlobsGeneratedRequest) -> None:
    if not request.blobs:
        raise InvalidArgument("validating request: empty blobs")
    for blob in request.blobs:
        _validate_revision(blob.revision)
        if not blob.path:
            raise InvalidArgument("validating request: empty path")


async def _answers(
    reader: Reader, request: CheckBlobsGeneratedRequest
) -> AsyncGenerator[CheckBlobsGeneratedResponse, None]:
    """The results of one request, in its order and mostly in one message."""
    answer = CheckBlobsGeneratedResponse()
    size = 0
    expected = iter(request.blobs)
    async with aclosing(reader.info_each(blob.revision for blob in request.blobs)) as found:
        async for info in found:
            blob = next(expected)
            generated = await _generated(reader, blob, info)
            result = answer.Blob(revision=blob.revision, generated=generated)
            if size and size + result.ByteSize() >= CHUNK_BYTES:
                yield answer
                answer, size = CheckBlobsGeneratedResponse(), 0
            answer.blobs.append(result)
            size += result.ByteSize()
    yield answer


async def _generated(reader: Reader, blob: CheckBlobsGeneratedRequest.Blob, info: ObjectInfo | None) -> bool:
    with during("reading object"):
        if info is None:
            raise ObjectNotFound(blob.revision.decode("utf-8", "replace"))
    if info.type != "blob":
        raise InvalidArgument("object is not a blob")
    # No rule holds for an empty file and not for another one of that path.
    if is_generated(blob.path, b""):
        return True
    async with aclosing(reader.content(info.oid, _SAMPLE_BYTES)) as pieces:
        sample = b"".join([piece async for piece in pieces])
    return is_generated(blob.path, sample)
