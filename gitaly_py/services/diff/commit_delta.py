"""CommitDelta: the changed files between two revisions, without their patches (diff-conflicts.md 3)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from grpc import StatusCode

from gitaly_py.git.errors import CommandFailed
from gitaly_py.git.format import object_format
from gitaly_py.git.wire.diff.entries import Entry, parse_entry
from gitaly_py.pb.diff_pb2 import CommitDelta, CommitDeltaRequest, CommitDeltaResponse
from gitaly_py.rpc.checks import some
from gitaly_py.services.app import Call
from gitaly_py.services.diff import commands
from gitaly_py.services.diff.service import service

_BATCH_BYTES = 5120
_MODES_BYTES = 8


@service.rpc(
    some("left_commit_id", otherwise="empty LeftCommitId"),
    some("right_commit_id", otherwise="empty RightCommitId"),
    codes={CommandFailed: StatusCode.FAILED_PRECONDITION},
)
async def commit_delta(call: Call, request: CommitDeltaRequest) -> AsyncIterator[CommitDeltaResponse]:
    """The files in git's order, as many in a message as the API has it."""
    digits = object_format(call.repository.path).hex_length
    flags = ["--raw", f"--abbrev={digits}", "--full-index", "--find-renames"]
    command = commands.diff(flags, request.left_commit_id, request.right_commit_id, request.paths)
    batch: list[CommitDelta] = []
    size = 0
    async with commands.running(call, command, commands.CONFIG) as process:
        async for lines in process.batches(b"\n"):
            for line in lines:
                for entry in parse_entry(line):
                    batch.append(_delta(entry))
                    size += _MODES_BYTES + sum(map(len, entry[:4]))
                    if size > _BATCH_BYTES:
                        yield CommitDeltaResponse(deltas=batch)
                        batch, size = [], 0
        if batch:
            yield CommitDeltaResponse(deltas=batch)
        await process.check()


def _delta(entry: Entry) -> CommitDelta:
    return CommitDelta(
        from_path=entry.from_path,
        to_path=entry.to_path,
        from_id=entry.from_id,
        to_id=entry.to_id,
        old_mode=entry.old_mode,
        new_mode=entry.new_mode,
    )
