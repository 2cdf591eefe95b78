"""FastExport: a repository as a stream for `git fast-import` (repository.md)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from gitaly_py.git.commands import Command
from gitaly_py.pb.repository_pb2 import FastExportRequest
from gitaly_py.rpc.packer import STREAM_BYTES
from gitaly_py.rpc.service import RepositoryRule
from gitaly_py.rpc.status import InvalidArgument, during
from gitaly_py.services.app import Call
from gitaly_py.services.repository.service import service
from gitaly_py.services.resolving import resolve


@service.rpc(repository=RepositoryRule.NOWHERE)
async def fast_export(call: Call, request: FastExportRequest) -> AsyncIterator[bytes]:
    """All references and what they reach, as far as git gets: how it ends is not told.

    A signed tag, for one, ends it early.
    """
    if not request.HasField("repository"):
        raise InvalidArgument("repository is not set")
    async with AsyncExitStack() as stack:
        with during("cmd start failed"):
            with during("get repo path"):
                repository = resolve(call.app, call.target, RepositoryRule.EXISTING)
            command = Command(name="fast-export", flags=["--all"])
            process = await stack.enter_async_context(call.app.git.start(repository.git, command))
        async for data in process.chunks(STREAM_BYTES):
            yield data
        await process.wait()
