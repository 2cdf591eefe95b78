"""RawDiff and RawPatch: git's output as it is, for downloads (diff-conflicts.md 4)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from gitaly_py.git.commands import Command
from gitaly_py.pb.diff_pb2 import RawDiffRequest, RawPatchRequest
from gitaly_py.rpc.checks import some
from gitaly_py.rpc.status import during
from gitaly_py.services.app import Call
from gitaly_py.services.diff import commands
from gitaly_py.services.diff.service import service

_LEFT = some("left_commit_id", otherwise="empty LeftCommitId")
_RIGHT = some("right_commit_id", otherwise="empty RightCommitId")


@service.rpc(_LEFT, _RIGHT)
async def raw_diff(call: Call, request: RawDiffRequest) -> AsyncIterator[bytes]:
    """The difference between two revisions, as `git apply` takes it where there are no binary files."""
    command = commands.diff(["--full-index"], request.left_commit_id, request.right_commit_id)
    async with aclosing(_output(call, command)) as output:
        async for chunk in output:
            yield chunk


@service.rpc(_LEFT, _RIGHT)
async def raw_patch(call: Call, request: RawPatchRequest) -> AsyncIterator[bytes]:
    """The commits that the right revision has and the left one has not, as mails."""
    command = Command(
        name="format-patch",
        flags=["--stdout", ("--signature", "GitLab")],
        args=[f"{request.left_commit_id}..{request.right_commit_id}"],
        paths=(),
    )
    async with aclosing(_output(call, command)) as output:
        async for chunk in output:
            yield chunk


async def _output(call: Call, command: Command) -> AsyncGenerator[bytes, None]:
    async with commands.running(call, command) as process:
        async for chunk in process.chunks():
            yield chunk
        with during("cmd"):
            await process.check()
