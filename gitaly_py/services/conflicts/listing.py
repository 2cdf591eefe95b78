"""ListConflictFiles: what keeps two commits from being merged (diff-conflicts.md 10)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace

from gitaly_py.git.reading.interface import Reader
from gitaly_py.git.updating.quarantine import quarantine
from gitaly_py.pb.conflicts_pb2 import (
    ConflictFile,
    ConflictFileHeader,
    ListConflictFilesRequest,
    ListConflictFilesResponse,
)
from gitaly_py.rpc.checks import some
from gitaly_py.rpc.packer import CHUNK_BYTES, STREAM_BYTES
from gitaly_py.rpc.status import FailedPrecondition, during
from gitaly_py.services.app import Call
from gitaly_py.services.conflicts.content import check_encoding, with_replacements
from gitaly_py.services.conflicts.merging import Conflict, Conflicts, merge
from gitaly_py.services.conflicts.service import service
from gitaly_py.storage.temporary import area


@service.rpc(
    some("our_commit_oid", otherwise="empty OurCommitOid"),
    some("their_commit_oid", otherwise="empty TheirCommitOid"),
)
async def list_conflict_files(
    call: Call, request: ListConflictFilesRequest
) -> AsyncIterator[ListConflictFilesResponse]:
    """The files in conflict, each with the conflict markers that git puts into it."""
    reader = call.repository.reader()
    ours = await _commit(reader, request.our_commit_oid, "our")
    theirs = await _commit(reader, request.their_commit_oid, "their")
    repository = call.repository
    temporary = area(repository.storage_path)
    async with quarantine(repository.git, repository.relative_path, temporary) as throwaway:
        with during("couldn't find conflict"):
            found = await merge(call, throwaway.repository, ours, theirs)
        if found is None:
            return
        merged = replace(repository, git=throwaway.repository).reader()
        async with aclosing(_files(merged, request, found)) as files, aclosing(_messages(files)) as messages:
            async for message in messages:
                yield message


async def _commit(reader: Reader, revision: str, side: str) -> str:
    oid = await reader.resolve(revision.encode() + b"^{commit}")
    if oid is None:
        raise FailedPrecondition(f"could not lookup '{side}' OID: reference not found")
    return oid


async def _messages(
    files: AsyncIterator[ConflictFile],
) -> AsyncGenerator[ListConflictFilesResponse, None]:
    """Headers and pieces of content put together: a message ends with the piece that makes it full."""
    pending = ListConflictFilesResponse()
    content = headers = 0
    async for file in files:
        pending.files.append(file)
        content += len(file.content)
        headers += file.header.ByteSize()
        if content >= STREAM_BYTES or headers >= CHUNK_BYTES:
            yield pending
            pending = ListConflictFilesResponse()
            content = headers = 0
    if pending.files:
        yield pending


async def _files(
    reader: Reader, request: ListConflictFilesRequest, found: Conflicts
) -> AsyncGenerator[ConflictFile, None]:
    """Each file's header, and after it its content. reader: sees the merged tree."""
    for conflict in found.conflicts:
        if not (conflict.our_path and conflict.their_path) and not request.allow_tree_conflicts:
            raise FailedPrecondition("conflict side missing")
        header = ConflictFileHeader(
            commit_oid=request.our_commit_oid,
            our_path=conflict.our_path,
            our_mode=conflict.our_mode,
            their_path=conflict.their_path,
            ancestor_path=conflict.ancestor_path,
        )
        yield ConflictFile(header=header)
        if request.skip_content:
            continue
        async with aclosing(_content(reader, found, conflict)) as pieces:
            async for piece in pieces:
                yield ConflictFile(content=piece)


async def _content(reader: Reader, found: Conflicts, conflict: Conflict) -> AsyncGenerator[bytes, None]:
    """What the merged tree has at the path, named after paths instead of commits."""
    path = conflict.our_path or conflict.their_path
    if not path:
        return
    oid = await _object(reader, f"{found.tree}:".encode() + path)
    await check_encoding(reader, oid)
    names = [(found.ours.encode(), conflict.our_path), (found.theirs.encode(), conflict.their_path)]
    async with aclosing(with_replacements(reader, oid, names)) as pieces:
        async for piece in pieces:
            yield piece


async def _object(reader: Reader, revision: bytes) -> str:
    oid = await reader.resolve(revision)
    if oid is None:
        raise FailedPrecondition("getting file revision: reference not found")
    if await reader.info(oid.encode()) is None:
        raise FailedPrecondition("getting objectreader: object not found")
    return oid
