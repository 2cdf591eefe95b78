"""DiffStats: lines added and removed, file by file (diff-conflicts.md 5)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from grpc import StatusCode

from gitaly_py.git.errors import CommandFailed
from gitaly_py.git.wire.numstat import FileStats, NumStat
from gitaly_py.pb.diff_pb2 import DiffStats, DiffStatsRequest, DiffStatsResponse
from gitaly_py.rpc.checks import some
from gitaly_py.rpc.packer import CHUNK_BYTES, field_prefixes, varint
from gitaly_py.services.app import Call
from gitaly_py.services.diff import commands
from gitaly_py.services.diff.service import service

_ENTRIES = 1000
"""The most that one message has."""

_ENTRY = field_prefixes(DiffStatsResponse.STATS_FIELD_NUMBER)
_PATH = field_prefixes(DiffStats.PATH_FIELD_NUMBER)
_OLD_PATH = field_prefixes(DiffStats.OLD_PATH_FIELD_NUMBER)
_ADDITIONS_TAG = varint(DiffStats.ADDITIONS_FIELD_NUMBER << 3)
_DELETIONS_TAG = varint(DiffStats.DELETIONS_FIELD_NUMBER << 3)
_FEW = 1024
_ADDITIONS = [DiffStats(additions=count).SerializeToString() for count in range(_FEW)]
_DELETIONS = [DiffStats(deletions=count).SerializeToString() for count in range(_FEW)]


@service.rpc(
    some("left_commit_id", otherwise="empty LeftCommitId"),
    some("right_commit_id", otherwise="empty RightCommitId"),
    codes={CommandFailed: StatusCode.FAILED_PRECONDITION},
)
async def diff_stats(call: Call, request: DiffStatsRequest) -> AsyncIterator[DiffStatsResponse]:
    """The changed files, a thousand in a message."""
    command = commands.diff(["--numstat", "-z"], request.left_commit_id, request.right_commit_id)
    output = NumStat()
    pending: list[bytes] = []
    size = 0
    async with commands.running(call, command) as process:
        async for fields in process.batches(b"\0"):
            for entry in map(_entry, output.feed(fields)):
                if len(pending) == _ENTRIES or size + len(entry) >= CHUNK_BYTES:
                    yield DiffStatsResponse.FromString(b"".join(pending))
                    pending, size = [], 0
                pending.append(entry)
                size += len(entry)
        await process.check()
    output.end()
    if pending:
        yield DiffStatsResponse.FromString(b"".join(pending))


def _entry(file: FileStats) -> bytes:
    """An encoded field of the response: making messages would take longer than what git does."""
    added, removed, path, old_path = file
    encoded = _PATH(len(path)) + path
    encoded += _ADDITIONS[added] if added < _FEW else _ADDITIONS_TAG + varint(added)
    encoded += _DELETIONS[removed] if removed < _FEW else _DELETIONS_TAG + varint(removed)
    if old_path:
        encoded += _OLD_PATH(len(old_path)) + old_path
    return _ENTRY(len(encoded)) + encoded
