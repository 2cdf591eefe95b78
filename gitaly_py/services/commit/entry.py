"""TreeEntry: a file, its size and its content (commit.md 3.3)."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from gitaly_py.git.reading.errors import ObjectNotFound
from gitaly_py.git.reading.interface import GitObject, ObjectInfo, Reader
from gitaly_py.git.wire.objects import TreeEntry
from gitaly_py.pb.commit_pb2 import TreeEntryRequest, TreeEntryResponse
from gitaly_py.rpc.checks import not_negative, some
from gitaly_py.rpc.packer import STREAM_BYTES
from gitaly_py.rpc.status import FailedPrecondition, Internal, NotFound
from gitaly_py.services.app import Call
from gitaly_py.services.checks import revision
from gitaly_py.services.commit.service import service
from gitaly_py.services.content import Content, small_content, with_content
from gitaly_py.services.tree_lookup import entry_at, without_slash


@service.rpc(
    revision("revision"),
    some("path", otherwise="empty Path"),
    not_negative("limit", otherwise="negative Limit"),
    not_negative("max_size", otherwise="negative MaxSize"),
)
async def tree_entry(
    call: Call, request: TreeEntryRequest
) -> TreeEntryResponse | AsyncGenerator[TreeEntryResponse | Content, None]:
    """What is at a path; the content of a blob follows in pieces."""
    reader = call.repository.reader(steady=True)
    entry = await entry_at(reader, request.revision, without_slash(request.path))
    if entry is None:
        raise NotFound("tree entry not found")
    if entry.type == "commit":
        return TreeEntryResponse(type=TreeEntryResponse.COMMIT, oid=entry.oid, mode=entry.mode)
    found = await _found(reader, entry)
    size = len(found.data) if isinstance(found, GitObject) else found.size
    if entry.type == "tree":
        return TreeEntryResponse(type=TreeEntryResponse.TREE, oid=entry.oid, mode=entry.mode, size=size)
    if 0 < request.max_size < size:
        raise FailedPrecondition(
            f"object size ({size}) is bigger than the maximum allowed size ({request.max_size})"
        )
    blob = TreeEntryResponse(type=TreeEntryResponse.BLOB, oid=entry.oid, mode=entry.mode, size=size)
    if isinstance(found, GitObject):
        blob.data = found.data[: request.limit or None]
        return blob
    if size <= STREAM_BYTES:
        blob.data = await small_content(reader, entry.oid, request.limit or -1)
        return blob
    return with_content(blob, reader, entry.oid, request.limit or -1)


async def _found(reader: Reader, entry: TreeEntry) -> GitObject | ObjectInfo:
    found = await reader.look(entry.oid)
    if found is None:
        raise ObjectNotFound(entry.oid)
    if found.type != entry.type:
        raise Internal(f"mismatched object type: expected {entry.type}, got {found.type}")
    return found
