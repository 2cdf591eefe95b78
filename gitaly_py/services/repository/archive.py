"""GetArchive: a tree as a tar or zip file (repository.md)."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial

from gitaly_py.git.commands import Command, Config
from gitaly_py.git.errors import SpawnFailed
from gitaly_py.git.process import Git, Process
from gitaly_py.pb.repository_pb2 import GetArchiveRequest
from gitaly_py.rpc.packer import STREAM_BYTES
from gitaly_py.services.app import Call
from gitaly_py.services.repository.archive_selection import select
from gitaly_py.services.repository.service import service

_GIT_FORMATS = {
    GetArchiveRequest.ZIP: "zip",
    GetArchiveRequest.TAR: "tar",
    GetArchiveRequest.TAR_GZ: "tar",
    GetArchiveRequest.TAR_BZ2: "tar",
}
_COMPRESSORS = {
    # Without name and time in its header, equal trees give equal archives.
    GetArchiveRequest.TAR_GZ: ("gzip", "-c", "-n"),
    GetArchiveRequest.TAR_BZ2: ("bzip2", "-c"),
}

Archiver = Callable[..., AbstractAsyncContextManager[Process]]
"""Starts git; takes the options of `Git.start`."""


@service.rpc()
async def get_archive(call: Call, request: GetArchiveRequest) -> AsyncIterator[bytes]:
    """The archive. A pointer whose LFS object Rails does not give stays as it is."""
    selection = await select(call.repository.path, call.repository.reader(), request)
    command = Command(
        name="archive",
        flags=[("--format", _GIT_FORMATS[request.format]), ("--prefix", request.prefix + "/")],
        args=[selection.treeish],
        paths=selection.pathspecs,
    )
    async with AsyncExitStack() as stack:
        config: Config = ()
        if request.include_lfs_blobs:
            filtering = call.app.lfs.filtering(
                request.repository.gl_repository, remote_ip=call.metadata.first("remote_ip")
            )
            config = await stack.enter_async_context(filtering)
        archiver = partial(call.app.git.start, call.repository.git, command, config=config)
        processes = await _started(stack, call.app.git, archiver, _COMPRESSORS.get(request.format))
        async for data in processes[-1].chunks(STREAM_BYTES):
            yield data
        # The last one first: when it fails, the one before it only lost its reader.
        for process in reversed(processes):
            await process.check()


async def _started(
    stack: AsyncExitStack, git: Git, archiver: Archiver, compressor: tuple[str, ...] | None
) -> list[Process]:
    """git, followed by the compressor on a pipe that never passes through us."""
    if compressor is None:
        return [await stack.enter_async_context(archiver())]
    environment = {"PATH": git.settings.environment.get("PATH", os.defpath)}
    argv = [_program(compressor[0], environment["PATH"]), *compressor[1:]]
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb"), os.fdopen(writing, "wb"):
        first = await stack.enter_async_context(archiver(stdout=writing))
        program = git.start_program(argv, cwd="/", env=environment, stdin=reading)
        return [first, await stack.enter_async_context(program)]


def _program(name: str, path: str) -> str:
    found = shutil.which(name, path=path)
    if found is None:
        raise SpawnFailed(name, FileNotFoundError(2, "No such file or directory"))
    return found
