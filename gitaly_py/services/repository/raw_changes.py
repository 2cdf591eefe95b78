"""GetRawChanges: what changed between two trees, with the sizes of the blobs (repository.md)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from gitaly_py.git.commands import Command
from gitaly_py.git.process import Stderr
from gitaly_py.git.reading.errors import ObjectNotFound
from gitaly_py.git.reading.interface import Reader
from gitaly_py.git.reading.sizes import ObjectSizes, object_sizes
from gitaly_py.git.wire.goquote import quote
from gitaly_py.pb.repository_pb2 import GetRawChangesRequest
from gitaly_py.rpc.packer import Encoded
from gitaly_py.rpc.status import InvalidArgument
from gitaly_py.services.app import Call
from gitaly_py.services.repository.raw_change_records import ChangedBlobs, blobs_of, encoded
from gitaly_py.services.repository.service import service

_FEW = 64
"""Objects that are looked up faster than a process starts."""


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
        object_sizes(git, repository) as sizes,
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
    if await reader.info(revision.encode()) is None:
        raise InvalidArgument(f"invalid '{side}' revision: {quote(revision)}")


def _diff(reader: Reader, request: GetRawChangesRequest) -> Command:
    from_nothing = request.from_revision == reader.format.zero_oid
    base = reader.format.empty_tree if from_nothing else request.from_revision
    # Without `--` git takes two names that it does not know for files outside the repository.
    return Command(
        name="diff", flags=["--raw", "-z", "--no-abbrev"], args=[base, request.to_revision], paths=()
    )


async def _sizes(reader: Reader, sizes: ObjectSizes, oids: list[bytes]) -> list[int]:
    if len(oids) > _FEW:
        return await sizes.of(oids)
    found: list[int] = []
    async with aclosing(reader.info_each(oids)) as infos:
        for oid in oids:
            info = await anext(infos)
            if info is None:
                raise ObjectNotFound(oid.decode("ascii"))
            found.append(info.size)
    return found
