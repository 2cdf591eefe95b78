"""GetFileAttributes: what `.gitattributes` files of a revision say of paths (repository.md)."""

from __future__ import annotations

import os
from pathlib import Path

from gitaly_py.git.commands import Command
from gitaly_py.git.process import Process, Stderr
from gitaly_py.git.wire.goquote import quote
from gitaly_py.git.wire.index import encode_index
from gitaly_py.pb.repository_pb2 import GetFileAttributesRequest, GetFileAttributesResponse
from gitaly_py.rpc.checks import some
from gitaly_py.rpc.status import Internal, during
from gitaly_py.services.app import Call
from gitaly_py.services.repository.attribute_files import attribute_files
from gitaly_py.services.repository.service import service
from gitaly_py.storage.temporary import temporary_directory

Info = GetFileAttributesResponse.AttributeInfo

_UNSPECIFIED = b"unspecified"

_MOST_WORK = 64 * 1024 * 1024
"""Characters of a path times its folders: git copies the path up to each of them."""


@service.rpc(
    some("revision", otherwise="revision is required"),
    some("paths", otherwise="file paths are required"),
    some("attributes", otherwise="attributes are required"),
)
async def get_file_attributes(call: Call, request: GetFileAttributesRequest) -> GetFileAttributesResponse:
    """Every specified attribute of each path, in the order of the request; the paths need not exist."""
    with during("check attr"):
        _check(request)
        paths = [path.encode() for path in request.paths]
        reader = call.repository.reader()
        oid = await reader.resolve(request.revision)
        if oid is None:
            raise _ended_early()
        # git 2.39 has no `check-attr --source`. An index that holds nothing but the files with attributes
        # gives the same answers, and is faster than one with the whole tree.
        index = encode_index(await attribute_files(reader, oid, paths), reader.format)
        command = Command(name="check-attr", flags=["--cached", "--stdin", "-z"], args=request.attributes)
        async with temporary_directory(call.repository.storage_path, "attributes") as folder:
            path = os.path.join(folder, "index")
            Path(path).write_bytes(index)
            async with call.app.git.start(
                call.repository.git,
                command,
                stdin=b"".join(path + b"\0" for path in paths),
                env={"GIT_INDEX_FILE": path},
                stderr=Stderr.KEEP,
            ) as process:
                return GetFileAttributesResponse(attribute_infos=await _infos(process))


def _check(request: GetFileAttributesRequest) -> None:
    if b"\0" in request.revision:
        raise Internal(f"detected null byte in command argument {quote(request.revision)}")
    for path in request.paths:
        if "\0" in path:
            raise Internal("path with NUL byte not allowed")
        if len(path) * path.count("/") > _MOST_WORK:
            raise Internal("path has too many folders")


async def _infos(process: Process) -> list[Info]:
    infos: list[Info] = []
    fields: list[bytes] = []
    async for records in process.batches(b"\0"):
        fields += records
        whole = len(fields) // 3 * 3
        infos += [
            Info(path=path, attribute=attribute, value=value.decode("utf-8", "replace"))
            for path, attribute, value in zip(*(fields[at:whole:3] for at in range(3)), strict=True)
            if value != _UNSPECIFIED
        ]
        del fields[:whole]
    if await process.wait() != 0:
        raise _ended_early()
    return infos


def _ended_early() -> Internal:
    """What clients know of a git that gave up, be it for the revision, an attribute or a path."""
    return Internal("read line: EOF")
