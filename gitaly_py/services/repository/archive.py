"""GetArchive: a tree as a tar or zip file (repository.md)."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from gitaly_py.git.commands import Command
from gitaly_py.git.errors import SpawnFailed
from gitaly_py.git.process import Git, Process
from gitaly_py.git.repository import GitRepository
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


@service.rpc()
async def get_archive(call: Call, request: GetArchiveRequest) -> AsyncIterator[bytes]:
    """The archive. LFS pointers stay as they are, whatever include_lfs_blobs says."""
    selection = await select(call.repository.path, call.repository.reader(), request)
    command = Command(
        name="archive",
        flags=[("--format", _GIT_FORMATS[request.format]), ("--prefix", request.prefix + "/")],
        args=[selection.treeish],
        paths=selection.pathspecs,
    )
    async with AsyncExitStack() as stack:
        processes = await _started(
            stack, call.app.git, call.repository.git, command, _COMPRESSORS.get(request.format)
        )
        while data := await processes[-1].read(STREAM_BYTES):
            yield data
        # The last one first: when it fails, the one before it only lost its reader.
        for process in reversed(processes):
            await process.check()


async def _started(
    stack: AsyncExitStack,
    git: Git,
    repository: GitRepository,
    command: Command,
    compressor: tuple[str, ...] | None,
) -> list[Process]:
    """git, followed by the compressor on a pipe that never passes through us."""
    if compressor is None:
        return [await stack.enter_async_context(git.start(repository, command))]
    environment = {"PATH": git.settings.environment.get("PATH", os.defpath)}
    argv = [_program(compressor[0], environment["PATH"]), *compressor[1:]]
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb"), os.fdopen(writing, "wb"):
        archiver = await stack.enter_async_context(git.start(repository, command, stdout=writing))
        program = git.start_program(argv, cwd="/", env=environment, stdin=reading)
        return [archiver, await stack.enter_async_context(program)]


def _program(name: str, path: str) -> str:
    found = shutil.which(name, path=path)
    if found is None:
        raise SpawnFailed(name, FileNotFoundError(2, "No such file or directory"))
    return found
