"""RawBlame (commit.md 3.3)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from gitaly_py.git.commands import Command, Flag
from gitaly_py.git.errors import CommandFailed
from gitaly_py.git.process import Process, Stderr
from gitaly_py.git.reading.errors import ObjectNotFound
from gitaly_py.git.reading.interface import Reader
from gitaly_py.pb.commit_pb2 import RawBlameError, RawBlameRequest
from gitaly_py.pb.errors_pb2 import PathNotFoundError
from gitaly_py.rpc.checks import FieldCheck, some
from gitaly_py.rpc.packer import STREAM_BYTES
from gitaly_py.rpc.status import InvalidArgument, NotFound, during
from gitaly_py.services.app import Call
from gitaly_py.services.checks import revision
from gitaly_py.services.commit.paths import escapes
from gitaly_py.services.commit.service import service

_RANGE = re.compile(rb"[0-9]+,[0-9]+")

_NO_SUCH_PATH = b"fatal: no such path "
_INVALID_NAME = b"fatal: invalid object name: "
_TOO_SHORT = re.compile(rb"fatal: file .* has only ([0-9]+) lines?", re.DOTALL)


def _check_path(path: bytes) -> None:
    if escapes(path):
        raise InvalidArgument("path escapes repository root")


def _check_range(lines: bytes) -> None:
    if lines and not _RANGE.fullmatch(lines):
        raise InvalidArgument("invalid Range")


@service.rpc(
    revision("revision"),
    some("path", otherwise="empty Path"),
    FieldCheck("path", _check_path),
    FieldCheck("range", _check_range),
)
async def raw_blame(call: Call, request: RawBlameRequest) -> AsyncIterator[bytes]:
    """Who changed each line of a file last, in git's porcelain format."""
    flags: list[Flag] = ["-p"]
    ignored = b""
    if request.range:
        flags.append(("-L", request.range))
    if request.ignore_revisions_blob:
        ignored = await _ignored_revisions(call.repository.reader(steady=True), request.ignore_revisions_blob)
        # No file has to be made and removed: what git gets as its standard input is a file in memory.
        flags.append("--ignore-revs-file=/dev/stdin")
    command = Command(name="blame", flags=flags, args=[request.revision], paths=[request.path])
    git = call.app.git
    async with git.start(call.repository.git, command, stdin=ignored, stderr=Stderr.KEEP) as process:
        while piece := await process.read(STREAM_BYTES):
            yield piece
        await _check(process, request.path)


async def _ignored_revisions(reader: Reader, revision: bytes) -> bytes:
    error = RawBlameError.ResolveIgnoreRevsError(ignore_revisions_blob=revision)
    detail = RawBlameError(resolve_ignore_revs=error)
    info = await reader.info(revision)
    if info is None:
        raise NotFound("cannot resolve ignore-revs blob", detail)
    if info.type != "blob":
        raise InvalidArgument("ignore revision is not a blob", detail)
    blob = await reader.read(info.oid.encode())
    if blob is None:
        raise ObjectNotFound(info.oid)
    return blob.data


async def _check(process: Process, path: bytes) -> None:
    """Raises what the end of git means."""
    status = await process.wait()
    if status == 0:
        return
    said = process.stderr
    if said.startswith(_NO_SUCH_PATH):
        missing = PathNotFoundError(path=path)
        raise NotFound("path not found in revision", RawBlameError(path_not_found=missing))
    if said.startswith(_INVALID_NAME):
        content = said.removeprefix(_INVALID_NAME)
        invalid = RawBlameError.InvalidIgnoreRevsFormatError(content=content)
        raise NotFound("invalid object name", RawBlameError(invalid_ignore_revs_format=invalid))
    if short := _TOO_SHORT.match(said):
        outside = RawBlameError.OutOfRangeError(actual_lines=int(short[1]))
        raise InvalidArgument("range is outside of the file length", RawBlameError(out_of_range=outside))
    with during("blaming file"):
        raise CommandFailed(process.name, status, said)
