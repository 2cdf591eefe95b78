"""ListRefs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from gitaly_py.git.reading.interface import Reader
from gitaly_py.git.reading.matching import Patterns
from gitaly_py.pb.ref_pb2 import ListRefsRequest
from gitaly_py.pb.shared_pb2 import PaginationCursor, SortDirection
from gitaly_py.rpc.checks import FieldCheck, some
from gitaly_py.rpc.packer import Encoded, Last
from gitaly_py.rpc.status import InvalidArgument
from gitaly_py.services.app import Call
from gitaly_py.services.ref.encoding import ReferenceEncoder
from gitaly_py.services.ref.listing import Listing
from gitaly_py.services.ref.objects import peeled_of
from gitaly_py.services.ref.paging import Page, decode_cursor, encode_cursor
from gitaly_py.services.ref.requests import check_arguments, exclusions
from gitaly_py.services.ref.service import service
from gitaly_py.services.ref.sorting import Key, Order

_KEYS = {
    ListRefsRequest.SortBy.REFNAME: Key.NAME,
    ListRefsRequest.SortBy.CREATORDATE: Key.CREATOR_DATE,
    ListRefsRequest.SortBy.AUTHORDATE: Key.AUTHOR_DATE,
    ListRefsRequest.SortBy.COMMITTERDATE: Key.COMMITTER_DATE,
}

_PORTION = 1024
"""References encoded at a stretch: less than a millisecond."""


def _is_supported(sort_by: Any) -> None:
    if sort_by.key not in _KEYS:
        raise InvalidArgument(f'sorting key "{sort_by.key}" is not supported')
    if sort_by.direction not in SortDirection.values():
        raise InvalidArgument("sorting direction is not supported")


@service.rpc(
    some("patterns", otherwise="patterns must have at least one entry"),
    FieldCheck("sort_by", _is_supported),
    exclusions("refs/"),
    items="references",
)
async def list_refs(call: Call, request: ListRefsRequest) -> AsyncIterator[Encoded | Last]:
    """The references that match, and HEAD before them if asked for (ref-blob.md 5.14).

    HEAD counts for nothing: neither limit nor filters, nor is it sent alone.
    """
    check_arguments(request.patterns)
    reader = call.repository.reader()
    listing = _listing(reader, request)
    encoder = ReferenceEncoder(reader.format.hex_length)
    last = b""
    async with aclosing(listing.batches(_PORTION)) as batches:
        async for batch in batches:
            if request.head and not last:
                yield Encoded(await _head(reader, encoder))
            final = await peeled_of(reader, batch) if request.peel_tags else batch.oids
            yield Encoded(encoder.encode(batch.names, batch.oids, final))
            last = batch.names[-1]
    if last and listing.more:
        yield Last(pagination_cursor=PaginationCursor(next_cursor=encode_cursor(last)))


def _listing(reader: Reader, request: ListRefsRequest) -> Listing:
    patterns = Patterns(request.patterns, exclude=request.exclude_patterns, ignore_case=request.ignore_case)
    order = Order(
        _KEYS[request.sort_by.key],
        descending=request.sort_by.direction == SortDirection.DESCENDING,
        ignore_case=request.ignore_case,
    )
    page = Page.of(request, prefix="invalid page token: sending lines: ", decode=decode_cursor)
    return Listing(reader, patterns, order, page, request.pointing_at_oids)


async def _head(reader: Reader, encoder: ReferenceEncoder) -> bytes:
    """HEAD as an encoded reference; nothing when it does not resolve."""
    head = await reader.reference(b"HEAD")
    return b"" if head is None else encoder.encode([head.name], [head.oid], [head.oid])
