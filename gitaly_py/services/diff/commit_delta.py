"""CommitDelta: the changed files between two revisions, without their patches (diff-conflicts.md 3)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from grpc import StatusCode

from gitaly_py.git.errors import CommandFailed
from gitaly_py.git.format import object_format
from gitaly_py.pb.diff_pb2 import CommitDeltaRequest
from gitaly_py.rpc.checks import some
from gitaly_py.rpc.packer import EncodedMessage
from gitaly_py.services.app import Call
from gitaly_py.services.diff import commands
from gitaly_py.services.diff.delta_encoding import Batches
from gitaly_py.services.diff.service import service


@service.rpc(
    some("left_commit_id", otherwise="empty LeftCommitId"),
    some("right_commit_id", otherwise="empty RightCommitId"),
    codes={CommandFailed: StatusCode.FAILED_PRECONDITION},
)
async def commit_delta(call: Call, request: CommitDeltaRequest) -> AsyncIterator[EncodedMessage]:
    """The files in git's order, as many in a message as the API has it."""
    hashes = object_format(call.repository.path)
    flags = ["--raw", f"--abbrev={hashes.hex_length}", "--full-index", "--find-renames"]
    command = commands.diff(flags, request.left_commit_id, request.right_commit_id, request.paths)
    batches = Batches(hashes)
    async with commands.running(call, command, commands.CONFIG) as process:
        async for chunk in process.chunks():
            for message in batches.feed(chunk):
                yield message
        await process.check()
        for message in batches.finish():
            yield message
