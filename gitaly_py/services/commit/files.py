"""ListFiles (commit.md 3.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from gitaly_py.git.commands import Command
from gitaly_py.git.process import Stderr
from gitaly_py.git.reading.branches import default_branch
from gitaly_py.git.reading.errors import HeadError
from gitaly_py.git.reading.interface import Reader
from gitaly_py.git.wire.objects import ObjectFormat
from gitaly_py.pb.commit_pb2 import ListFilesRequest, ListFilesResponse
from gitaly_py.rpc.packer import Encoded, field_prefixes
from gitaly_py.rpc.status import FailedPrecondition, NotFound
from gitaly_py.services.app import Call
from gitaly_py.services.checks import revision
from gitaly_py.services.commit.service import service

_PIECE = 512
"""Records encoded in a row: a part of a message, even with long paths."""

_PATH = field_prefixes(ListFilesResponse.PATHS_FIELD_NUMBER)
_TYPE_AT = len("100644 ")
_BLOB = ord("b")


@service.rpc(revision("revision", allow_empty=True))
async def list_files(call: Call, request: ListFilesRequest) -> AsyncIterator[ListFilesResponse | Encoded]:
    """The paths of all files and symbolic links of a revision, in tree order.

    What is no revision gives one empty message, and what has no tree none at all.
    """
    reader = call.repository.reader(steady=True)
    oid = await reader.resolve(request.revision or await _default(reader))
    if oid is None:
        yield ListFilesResponse()
        return
    command = Command(name="ls-tree", flags=["-z", "-r", "--full-tree", "--full-name"], args=[oid])
    async with call.app.git.start(call.repository.git, command, stderr=Stderr.KEEP) as process:
        async for records in process.batches(b"\0"):
            for at in range(0, len(records), _PIECE):
                yield Encoded(_encoded(records[at : at + _PIECE], reader.format))


async def _default(reader: Reader) -> bytes:
    try:
        branch = await default_branch(reader)
    except HeadError as error:
        raise NotFound('revision not found ""') from error
    if branch is None:
        raise FailedPrecondition("repository does not have a default branch")
    return branch


def _encoded(records: Sequence[bytes], object_format: ObjectFormat) -> bytes:
    """The paths of blobs as encoded `paths` of the response, from what `git ls-tree -z` prints."""
    path_at = len("100644 blob ") + object_format.hex_length + len("\t")
    return b"".join(
        [
            part
            for record in records
            if record[_TYPE_AT] == _BLOB
            for part in (_PATH(len(record) - path_at), record[path_at:])
        ]
    )
