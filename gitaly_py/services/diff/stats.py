"""DiffStats: lines added and removed, file by file (diff-conflicts.md 5)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from grpc import StatusCode

from gitaly_py.git.errors import CommandFailed
from gitaly_py.git.wire.numstat import FileStats, NumStat
from gitaly_py.pb.diff_pb2 import DiffStats, DiffStatsRequest, DiffStatsResponse
from gitaly_py.rpc.checks import some
from gitaly_py.rpc.packer import CHUNK_BYTES
from gitaly_py.services.app import Call
from gitaly_py.services.diff.comparing import comparing, diff
from gitaly_py.services.diff.service import service

_ENTRIES = 1000
"""The most that one message has."""


@service.rpc(
    some("left_commit_id", otherwise="empty LeftCommitId"),
    some("right_commit_id", otherwise="empty RightCommitId"),
    codes={CommandFailed: StatusCode.FAILED_PRECONDITION},
)
async def diff_stats(call: Call, request: DiffStatsRequest) -> AsyncIterator[DiffStatsResponse]:
    """The changed files, a thousand in a message."""
    command = diff(["--numstat", "-z"], request.left_commit_id, request.right_commit_id)
    output = NumStat()
    pending: list[DiffStats] = []
    size = 0
    async with comparing(call, command) as process:
        async for fields in process.batches(b"\0"):
            for file in output.feed(fields):
                length = len(file.path) + len(file.old_path)
                if pending and (len(pending) == _ENTRIES or size + length >= CHUNK_BYTES):
                    yield DiffStatsResponse(stats=pending)
                    pending, size = [], 0
                pending.append(_message(file))
                size += length
        await process.check()
    output.end()
    if pending:
        yield DiffStatsResponse(stats=pending)


def _message(file: FileStats) -> DiffStats:
    return DiffStats(path=file.path, additions=file.added, deletions=file.removed, old_path=file.old_path)
