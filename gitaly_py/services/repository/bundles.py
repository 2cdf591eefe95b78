"""CreateBundle and CreateBundleFromRefList (storage-maintenance.md 5)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from tempfile import TemporaryFile

from gitaly_py.git.commands import STANDARD_OUTPUT, Command, Flag
from gitaly_py.git.process import Stderr
from gitaly_py.git.wire.goquote import quote
from gitaly_py.housekeeping.worktrees import clean_worktrees
from gitaly_py.pb.repository_pb2 import CreateBundleFromRefListRequest, CreateBundleRequest
from gitaly_py.rpc.packer import STREAM_BYTES
from gitaly_py.rpc.status import FailedPrecondition, Internal, RpcError, during
from gitaly_py.services.app import Call
from gitaly_py.services.repository.bundle_patterns import BundlePatterns
from gitaly_py.services.repository.service import service
from gitaly_py.storage.temporary import area

_EMPTY = b"Refusing to create empty bundle"


@service.rpc()
async def create_bundle(call: Call, request: CreateBundleRequest) -> AsyncIterator[bytes]:
    """A bundle of all references and HEAD. Internal if there is none, possibly after git's header."""
    async with aclosing(_bundle(call, ["--all"], b"", Internal)) as pieces:
        async for piece in pieces:
            yield piece


@service.rpc()
async def create_bundle_from_ref_list(
    call: Call, requests: AsyncIterator[CreateBundleFromRefListRequest]
) -> AsyncIterator[bytes]:
    """A bundle of what the patterns of all messages select; FailedPrecondition if that is nothing.

    git reads all of them before it writes, so they wait on disk: there may be as many as references.
    """
    patterns = BundlePatterns()
    with TemporaryFile(dir=area(call.repository.storage_path)) as lines:
        async for request in requests:
            lines.write(patterns.add(request.patterns))
        lines.flush()
        lines.seek(0)
        flags: list[Flag] = ["--ignore-missing", *patterns.arguments, "--stdin"]
        async with aclosing(_bundle(call, flags, lines.fileno(), FailedPrecondition)) as pieces:
            async for piece in pieces:
                yield piece


async def _bundle(
    call: Call, flags: Sequence[Flag], stdin: bytes | int, empty: type[RpcError]
) -> AsyncGenerator[bytes, None]:
    """What git writes. empty: the error when it finds nothing to write."""
    git, repository = call.app.git, call.repository.git
    with during("cleaning up worktrees"):
        # The HEAD of a worktree that was left behind may name a commit that is gone.
        await clean_worktrees(git, repository)
    command = Command(name="bundle", action="create", flags=[STANDARD_OUTPUT, *flags])
    with during("create bundle"):
        async with git.start(repository, command, stdin=stdin, stderr=Stderr.KEEP) as process:
            while data := await process.read(STREAM_BYTES):
                yield data
            status = await process.wait()
        if status == 0:
            return
        if _EMPTY in process.stderr:
            raise empty("refusing to create empty bundle")
        raise Internal(f"exit status {status}: stderr: {quote(process.stderr)}")
