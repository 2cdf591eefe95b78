"""GetPatchID: a fingerprint of what changed (diff-conflicts.md 7)."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack

from gitaly_py.git.commands import Command, Flag
from gitaly_py.git.process import Process, Stderr
from gitaly_py.pb.diff_pb2 import GetPatchIDRequest, GetPatchIDResponse
from gitaly_py.rpc.checks import some
from gitaly_py.rpc.status import FailedPrecondition, during
from gitaly_py.services.app import Call
from gitaly_py.services.attributes import head_attributes
from gitaly_py.services.diff import commands
from gitaly_py.services.diff.service import service

_IDENTITY = Command(name="patch-id", flags=["--verbatim"])

_NOWHERE = {"GIT_DIR": os.devnull}
"""Keeps git from finding a repository, whose object format would change the ids."""


@service.rpc(
    some("old_revision", otherwise="empty OldRevision"),
    some("new_revision", otherwise="empty NewRevision"),
)
async def get_patch_id(call: Call, request: GetPatchIDRequest) -> GetPatchIDResponse:
    """The id that `git patch-id` gives to the difference between two revisions."""
    async with AsyncExitStack() as stack:
        compared, identified = await _started(stack, call, request)
        output = await identified.read_until(b"\n")
        with during("waiting for git-diff"):
            await compared.check()
        with during("waiting for patch-id"):
            await identified.check()
    if not output:
        raise FailedPrecondition("no difference between old and new revision")
    patch_id, space, _ = output.partition(b" ")
    if not space:
        raise FailedPrecondition("unexpected patch ID format")
    return GetPatchIDResponse(patch_id=patch_id.decode("ascii"))


async def _started(stack: AsyncExitStack, call: Call, request: GetPatchIDRequest) -> tuple[Process, Process]:
    """Both processes, on a pipe that never passes through us."""
    git = call.app.git
    flags: list[Flag] = ["--full-index"]
    if request.context_free:
        flags.append("-U0")
    diff = commands.diff(flags, request.old_revision, request.new_revision)
    with during("spawning diff"):
        git.check(diff)
    config = await stack.enter_async_context(head_attributes(call))
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb"), os.fdopen(writing, "wb"):
        compared = await stack.enter_async_context(
            git.start(call.repository.git, diff, config=config, stdout=writing, stderr=Stderr.KEEP)
        )
        identified = await stack.enter_async_context(
            git.start(None, _IDENTITY, stdin=reading, env=_NOWHERE, stderr=Stderr.KEEP)
        )
    return compared, identified
