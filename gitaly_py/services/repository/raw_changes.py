"""GetRawChanges: what changed between two trees, with the sizes of the blobs (repository.md)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from gitaly_py.git.commands import Command
from gitaly_py.git.process import Stderr
from gitaly_py.git.reading.bulk import FEW, Bulk, bulk
from gitaly_py.git.reading.errors import AmbiguousRevision, ObjectNotFound, ObjectUnreadable
from gitaly_py.git.reading.interface import Reader
from gitaly_py.git.wire.goquote import quote
from gitaly_py.pb.repository_pb2 import GetRawChangesRequest
from gitaly_py.rpc.packer import Encoded
from gitaly_py.rpc.status import InvalidArgument
from gitaly_py.services.app import Call
from gitaly_py.services.repository.raw_change_records import ChangedBlobs, blobs_of, encoded
from gitaly_py.services.repository.service import service


@service.rpc()
async def get_raw_changes(call: Call, request: GetRawChangesRequest) -> AsyncIterator[Encoded]:
    """The changes from one revision to another; the zero id stands for nothing at all."""
    git, repository = call.app.git, call.repository.git
    reader = call.repository.reader()
    await _must_exist(reader, request.from_revision, "from")
    await _must_exist(reader, request.to_revision, "to")
    if request.to_revision == reader.format.zero_oid:
        return
    output = ChangedBlobs(reader.format)
    async with (
        bulk(git, repository, "objectsize") as sizes,
        git.start(repository, _diff(reader, request), stderr=Stderr.KEEP) as process,
    ):
        async for fields in process.batches(b"\0"):
            changes = output.changed(fields)
            yield Encoded(encoded(changes, await _sizes(reader, sizes, blobs_of(changes))))
        await process.check()
    output.end()


async def _must_exist(reader: Reader, revision: str, side: str) -> None:
    if revision == reader.format.zero_oid:
        return
    wrong = f"invalid '{side}' revision: {quote(revision)}"
    try:
        found = await reader.info(revision.encode())
    except (AmbiguousRevision, ObjectUnreadable) as error:
        raise InvalidArgument(wrong) from error
    if found is None:
        raise InvalidArgument(wrong)


def _diff(reader: Reader, request: GetRawChangesRequest) -> Command:
    from_nothing = request.from_revision == reader.format.zero_oid
    base = reader.format.empty_tree if from_nothing else request.from_revision
    # Without `--` git takes two names that it does not know for files outside the repository.
    return Command(
        name="diff", flags=["--raw", "-z", "--no-abbrev"], args=[base, request.to_revision], paths=()
    )


async def _sizes(reader: Reader, sizes: Bulk, oids: list[bytes]) -> list[int]:
    if len(oids) > FEW:
        return [_size(oid, size) for oid, size in zip(oids, await sizes.of(oids), strict=True)]
    async with aclosing(reader.info_each(oids)) as infos:
        found = [info async for info in infos]
    return [_size(oid, info and info.size) for oid, info in zip(oids, found, strict=True)]


def _size(oid: bytes, size: bytes | int | None) -> int:
    if size is None:
        raise ObjectNotFound(oid.decode("ascii"))
    return int(size)
