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
from gitaly_py.services.diff.comparing import diff
from gitaly_py.services.diff.service import service

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
    command = diff(flags, request.old_revision, request.new_revision)
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb"), os.fdopen(writing, "wb"):
        with during("spawning diff"):
            difference = git.start(call.repository.git, command, stdout=writing, stderr=Stderr.KEEP)
            compared = await stack.enter_async_context(difference)
        with during("spawning patch-id"):
            identity = git.start(
                None,
                Command(name="patch-id", flags=["--verbatim"]),
                stdin=reading,
                stderr=Stderr.KEEP,
                env=_NOWHERE,
            )
            identified = await stack.enter_async_context(identity)
    return compared, identified
