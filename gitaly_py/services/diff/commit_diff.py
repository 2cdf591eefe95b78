"""CommitDiff: the changed files between two revisions, with their patches (diff-conflicts.md 2)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing

from grpc import StatusCode

from gitaly_py.git.errors import CommandFailed
from gitaly_py.git.format import object_format
from gitaly_py.git.wire.diff.limits import BOUNDS, Limits
from gitaly_py.git.wire.diff.parser import DiffParser, FileDiff
from gitaly_py.pb.diff_pb2 import CommitDiffRequest, CommitDiffResponse
from gitaly_py.rpc.checks import some
from gitaly_py.rpc.packer import EncodedMessage, field_prefixes
from gitaly_py.rpc.status import during
from gitaly_py.services.app import Call
from gitaly_py.services.diff import commands
from gitaly_py.services.diff.messages import PATCH_BYTES, pieces
from gitaly_py.services.diff.service import service
from gitaly_py.services.diff.whitespace import only_whitespace

_IGNORING = (
    CommitDiffRequest.WHITESPACE_CHANGES_IGNORE,
    CommitDiffRequest.WHITESPACE_CHANGES_IGNORE_ALL,
)
_PATCH = field_prefixes(CommitDiffResponse.RAW_PATCH_DATA_FIELD_NUMBER, PATCH_BYTES + 1)
_END = CommitDiffResponse(end_of_patch=True).SerializeToString()


@service.rpc(
    some("left_commit_id", otherwise="empty LeftCommitId"),
    some("right_commit_id", otherwise="empty RightCommitId"),
    codes={CommandFailed: StatusCode.FAILED_PRECONDITION},
)
async def commit_diff(call: Call, request: CommitDiffRequest) -> AsyncIterator[EncodedMessage]:
    """The files in git's order; at last, without patches, those of which the request ignores all changes."""
    with during("eachDiff"):
        async with aclosing(_files(call, request)) as files:
            async for file in files:
                for message in _messages(file):
                    yield message


async def _files(call: Call, request: CommitDiffRequest) -> AsyncGenerator[FileDiff, None]:
    ignoring = request.whitespace_changes in _IGNORING
    parser = DiffParser(_limits(request), drop_unpatched=ignoring)
    shown: set[bytes] = set()
    async with aclosing(_patched(call, request, parser)) as files:
        async for file in files:
            if ignoring:
                shown.add(file.entry.to_path)
            yield file
    if ignoring and not parser.done:
        async with aclosing(only_whitespace(call, request, shown)) as files:
            async for file in files:
                yield file


async def _patched(
    call: Call, request: CommitDiffRequest, parser: DiffParser
) -> AsyncGenerator[FileDiff, None]:
    """What git shows, up to a limit that ends the diff."""
    digits = object_format(call.repository.path).hex_length
    flags = [
        "--patch",
        "--raw",
        "--find-renames=30%",
        f"--abbrev={digits}",
        "--full-index",
        *commands.mode_flags(request),
    ]
    command = commands.diff(flags, request.left_commit_id, request.right_commit_id, request.paths)
    async with commands.running(call, command, commands.CONFIG) as process:
        async for chunk in process.chunks():
            for file in parser.feed(chunk):
                yield file
            if parser.done:
                return
        # Before the last file is given out: a git that failed may have cut its patch off.
        await process.check()
        for file in parser.finish():
            yield file


def _limits(request: CommitDiffRequest) -> Limits:
    """The request's limits, none of them higher than it may be."""
    by_extension = request.max_patch_bytes_for_file_extension
    return Limits(
        enforce=request.enforce_limits,
        collapse=request.collapse_diffs,
        collect_all_paths=request.collect_all_paths,
        by_extension={key.encode(): value for key, value in by_extension.items()},
        **{name: min(getattr(request, name), bound) for name, bound in BOUNDS.items()},
    )


def _messages(file: FileDiff) -> Iterator[EncodedMessage]:
    """The first message says everything but the rest of a long patch."""
    entry = file.entry
    message = CommitDiffResponse(
        from_path=entry.from_path,
        to_path=entry.to_path,
        from_id=entry.from_id,
        to_id=entry.to_id,
        old_mode=entry.old_mode,
        new_mode=entry.new_mode,
        binary=file.binary,
        overflow_marker=file.overflow,
        collapsed=file.collapsed,
        too_large=file.too_large,
        lines_added=file.lines_added,
        lines_removed=file.lines_removed,
    )
    beginning = message.SerializeToString()
    for piece, last in pieces(file.patch):
        patch = _PATCH(len(piece)) + piece if piece else b""
        yield EncodedMessage(beginning + patch + (_END if last else b""))
        beginning = b""
