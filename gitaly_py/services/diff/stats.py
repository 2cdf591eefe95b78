"""DiffStats: lines added and removed, file by file (diff-conflicts.md 5)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable

from grpc import StatusCode

from gitaly_py.git.errors import CommandFailed
from gitaly_py.git.wire.numstat import FileStats, NumStat, count_of
from gitaly_py.pb.diff_pb2 import DiffStats, DiffStatsRequest, DiffStatsResponse
from gitaly_py.rpc.checks import some
from gitaly_py.rpc.packer import CHUNK_BYTES, field_prefixes
from gitaly_py.services.app import Call
from gitaly_py.services.diff import commands
from gitaly_py.services.diff.service import service

_ENTRIES = 1000
"""The most that one message has."""

_ENTRY = field_prefixes(DiffStatsResponse.STATS_FIELD_NUMBER)
_PATH = field_prefixes(DiffStats.PATH_FIELD_NUMBER)
_OLD_PATH = field_prefixes(DiffStats.OLD_PATH_FIELD_NUMBER)


@service.rpc(
    some("left_commit_id", otherwise="empty LeftCommitId"),
    some("right_commit_id", otherwise="empty RightCommitId"),
    codes={CommandFailed: StatusCode.FAILED_PRECONDITION},
)
async def diff_stats(call: Call, request: DiffStatsRequest) -> AsyncIterator[DiffStatsResponse]:
    """The changed files, a thousand in a message."""
    command = commands.diff(["--numstat", "-z"], request.left_commit_id, request.right_commit_id)
    output = NumStat()
    encoder = _Encoder()
    pending: list[bytes] = []
    size = 0
    async with commands.running(call, command) as process:
        async for fields in process.batches(b"\0"):
            for entry in encoder.entries(output.feed(fields)):
                if len(pending) == _ENTRIES or size + len(entry) >= CHUNK_BYTES:
                    yield DiffStatsResponse.FromString(b"".join(pending))
                    pending, size = [], 0
                pending.append(entry)
                size += len(entry)
        await process.check()
    output.end()
    if pending:
        yield DiffStatsResponse.FromString(b"".join(pending))


class _Encoder:
    """Makes encoded fields of the response: making messages would take longer than what git does."""

    def __init__(self) -> None:
        self._additions = _Counts(lambda count: DiffStats(additions=count))
        self._deletions = _Counts(lambda count: DiffStats(deletions=count))

    def entries(self, files: Iterable[FileStats]) -> list[bytes]:
        """One field for each file. Raises MalformedStats."""
        additions, deletions = self._additions, self._deletions
        entries = []
        for added, removed, path, old_path in files:
            stats = _PATH(len(path)) + path + additions[added] + deletions[removed]
            if old_path:
                stats += _OLD_PATH(len(old_path)) + old_path
            entries.append(_ENTRY(len(stats)) + stats)
        return entries


class _Counts(dict[bytes, bytes]):
    """Numbers of lines as an encoded field, by their digits. message: one that has nothing but that field."""

    def __init__(self, message: Callable[[int], DiffStats]) -> None:
        self._message = message

    def __missing__(self, digits: bytes) -> bytes:
        encoded = self[digits] = self._message(count_of(digits)).SerializeToString()
        return encoded
