"""GetTreeEntries (commit.md 3.3)."""

from __future__ import annotations

import posixpath
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass

from gitaly_py.git.commands import Command
from gitaly_py.git.process import Stderr
from gitaly_py.git.reading.errors import ObjectNotFound
from gitaly_py.git.reading.interface import ObjectInfo, Reader
from gitaly_py.pb.commit_pb2 import GetTreeEntriesError, GetTreeEntriesRequest, TreeEntry
from gitaly_py.pb.errors_pb2 import PathError, ResolveRevisionError
from gitaly_py.pb.shared_pb2 import PaginationCursor
from gitaly_py.rpc.checks import FieldCheck
from gitaly_py.rpc.packer import Encoded, First
from gitaly_py.rpc.status import InvalidArgument, NotFound
from gitaly_py.services.app import Call
from gitaly_py.services.checks import revision
from gitaly_py.services.commit.flat_paths import flatten
from gitaly_py.services.commit.service import service
from gitaly_py.services.commit.tree_pages import Start, after, first_of, parse_token, token_of
from gitaly_py.services.commit.tree_records import (
    Batches,
    Encoder,
    in_order,
    path_of,
    records_of,
)

_LARGE_TREE = 64 * 1024
"""Bytes of a tree that git lists rather than we: parsing it would hold the loop for milliseconds."""

_PIECE = 256
"""Records encoded in a row: a small part of a message, even with very long paths."""

_FLAT_PIECE = 32
"""The same where each may cost the reading of some trees."""


def _check_path(path: bytes) -> None:
    if not path:
        error = PathError(error_type=PathError.ERROR_TYPE_EMPTY_PATH)
        raise InvalidArgument("empty path", GetTreeEntriesError(path=error))


@service.rpc(revision("revision"), FieldCheck("path", _check_path))
async def get_tree_entries(
    call: Call, request: GetTreeEntriesRequest
) -> AsyncIterator[First | Encoded | list[TreeEntry]]:
    """The entries of a tree, or one page of them; the next page's cursor is in the first message."""
    reader = call.repository.reader()
    start = parse_token(request.pagination_params.page_token)
    tree = await _listed_tree(reader, request, start)
    listing = _Listing(call, request, tree, _prefix(request.path))
    encoder = Encoder(reader.format, listing.prefix, request.revision.decode("utf-8", "replace"))
    flat = not (request.recursive or request.skip_flat_paths)
    # The tree of a token may be gone from the revision, in which flat paths are looked up.
    below = request.revision if start.tree else None
    cursor, source = await listing.page(start)
    begun = False
    async with aclosing(source) as batches:
        async for batch in batches:
            if batch and not begun:
                begun = True
                yield First(pagination_cursor=PaginationCursor(next_cursor=cursor))
            for piece in _pieces(batch, _FLAT_PIECE if flat else _PIECE):
                if flat:
                    entries = [encoder.entry(record) for record in piece]
                    await flatten(reader, entries, below)
                    yield entries
                else:
                    yield Encoded(encoder.encoded(piece))


async def _listed_tree(reader: Reader, request: GetTreeEntriesRequest, start: Start) -> ObjectInfo:
    """The tree to list: that of the token, or the one that revision and path name."""
    detail = GetTreeEntriesError(resolve_tree=ResolveRevisionError(revision=request.revision))
    refused = NotFound if request.recursive else InvalidArgument
    if start.tree:
        tree = await reader.info(start.tree.encode() + b"^{tree}")
        if tree is None:
            raise refused("invalid revision or path", detail)
        return tree
    path = b"" if request.path == b"." else request.path
    oid = await reader.resolve(request.revision + b":" + path)
    if oid is None:
        raise refused("invalid revision or path", detail)
    tree = await reader.info(oid.encode())
    if tree is None:
        raise NotFound("revision doesn't exist", detail)
    if tree.type != "tree":
        raise InvalidArgument("path not treeish", detail)
    return tree


@dataclass(frozen=True, slots=True)
class _Listing:
    """The listing of `tree`. prefix: what its paths lack to be those of the repository."""

    call: Call
    request: GetTreeEntriesRequest
    tree: ObjectInfo
    prefix: bytes

    async def page(self, start: Start) -> tuple[str, Batches]:
        """The cursor of the next page, empty if there is none, and the records to send."""
        source = in_order(self._records(), self.request.sort)
        if not self.request.HasField("pagination_params"):
            return "", source
        source = after(source, start, self.prefix)
        limit = self.request.pagination_params.limit
        if limit < 0:
            return "", source
        # One more, to see whether this is the last page.
        records = await first_of(source, limit + 1)
        shown = records[:limit]
        if not shown or len(records) <= limit:
            return "", _batch(shown)
        return token_of(self.prefix + path_of(shown[-1]), self.tree.oid), _batch(shown)

    async def _records(self) -> Batches:
        if not self.request.recursive and self.tree.size <= _LARGE_TREE:
            reader = self.call.repository.reader()
            tree = await reader.read(self.tree.oid.encode())
            if tree is None:
                raise ObjectNotFound(self.tree.oid)
            yield records_of(tree.data, reader.format)
            return
        flags = ["-z", *(["-r", "-t"] if self.request.recursive else [])]
        command = Command(name="ls-tree", flags=flags, args=[self.tree.oid])
        git = self.call.app.git
        async with git.start(self.call.repository.git, command, stderr=Stderr.KEEP) as process:
            async for records in process.batches(b"\0"):
                yield records
            await process.check()


async def _batch(records: list[bytes]) -> Batches:
    yield records


def _pieces(records: list[bytes], size: int) -> Iterator[list[bytes]]:
    return (records[at : at + size] for at in range(0, len(records), size))


def _prefix(path: bytes) -> bytes:
    cleaned = posixpath.normpath(path)
    return b"" if cleaned == b"." else cleaned.removesuffix(b"/") + b"/"
