"""FindAllTags."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from gitaly_py.git.reading.errors import ObjectNotFound
from gitaly_py.git.reading.interface import GitObject, Reader, References
from gitaly_py.git.reading.matching import Patterns
from gitaly_py.git.wire.refnames import TAGS
from gitaly_py.pb.ref_pb2 import FindAllTagsRequest
from gitaly_py.pb.shared_pb2 import SortDirection
from gitaly_py.rpc.checks import FieldCheck
from gitaly_py.rpc.status import InvalidArgument
from gitaly_py.services.app import Call
from gitaly_py.services.messages import mailmap_of
from gitaly_py.services.ref.ahead import Asked, with_objects
from gitaly_py.services.ref.encoding import TagEncoder
from gitaly_py.services.ref.listing import Listing
from gitaly_py.services.ref.objects import infos_of
from gitaly_py.services.ref.paging import Page
from gitaly_py.services.ref.service import service
from gitaly_py.services.ref.sorting import Key, Order

_KEYS = {
    FindAllTagsRequest.SortBy.REFNAME: Key.NAME,
    FindAllTagsRequest.SortBy.CREATORDATE: Key.CREATOR_DATE,
    FindAllTagsRequest.SortBy.VERSION_REFNAME: Key.VERSION,
}

_PORTION = 1024
"""Tags that are asked for at a time."""

_COMMIT = b"^{commit}"


def _is_supported(sort_by: Any) -> None:
    if sort_by.direction not in SortDirection.values():
        raise InvalidArgument(f"unsupported sorting direction: {sort_by.direction}")
    if sort_by.key not in _KEYS:
        raise InvalidArgument(f"unsupported sorting key: {sort_by.key}")


@service.rpc(FieldCheck("sort_by", _is_supported))
async def find_all_tags(call: Call, request: FindAllTagsRequest) -> AsyncIterator[list[bytes]]:
    """Every tag with its message and the commit it leads to, if it does (ref-blob.md 5.4)."""
    reader = call.repository.reader()
    mailmap = await mailmap_of(call, reader)
    descending = request.sort_by.direction == SortDirection.DESCENDING
    order = Order(_KEYS[request.sort_by.key], descending=descending)
    listing = Listing(reader, Patterns([TAGS]), order, Page.of(request))
    encoder = TagEncoder(mailmap)
    # One git reads tags, another one the commits that they name, while we encode those before them.
    targets = with_objects(reader, _targets_asked(reader, listing.batches(_PORTION)), _PORTION)
    async with aclosing(with_objects(reader, _commits_asked(encoder, targets))) as portions:
        async for portion in portions:
            yield [
                encoder.with_commit(tag[0], commit)
                if commit is not None and commit.type == "commit"
                else await _without_commit(reader, tag)
                for tag, commit in portion
            ]


_Target = tuple[bytes, str, bool]
"""Name of a reference without `refs/tags/`, its id, and whether that is a commit's or a tag's."""

_Tag = tuple[bytes, bytes, bool]
"""A tag encoded without its commit, the revision of that, and whether it certainly names one."""


async def _targets_asked(
    reader: Reader, source: AsyncGenerator[References]
) -> AsyncGenerator[Asked[_Target]]:
    """Asks for what references lead to, but not for blobs, which may be large, and trees."""
    async with aclosing(source) as batches:
        async for batch in batches:
            peeled = zip(batch.oids, batch.peeled, strict=True)
            unknown = [oid for oid, final in peeled if final is None or final == oid]
            infos = await infos_of(reader, unknown) if unknown else {}
            others = {oid for oid, info in infos.items() if info.type not in ("commit", "tag")}
            yield (
                [(name.removeprefix(TAGS), oid, oid not in others) for name, oid in batch],
                [oid.encode() + _COMMIT if oid in others else oid.encode() for oid in batch.oids],
            )


async def _commits_asked(
    encoder: TagEncoder, source: AsyncGenerator[list[tuple[_Target, GitObject | None]]]
) -> AsyncGenerator[Asked[_Tag]]:
    """Asks for the commits that targets are or peel to. Raises ObjectNotFound."""
    async with aclosing(source) as portions:
        async for portion in portions:
            tags = [_tag(encoder, target, found) for target, found in portion]
            yield tags, [revision for _, revision, _ in tags]


def _tag(encoder: TagEncoder, target: _Target, found: GitObject | None) -> _Tag:
    name, oid, is_readable = target
    if found is None and is_readable:
        raise ObjectNotFound(oid)
    if found is not None and found.type == "tag":
        encoded, final, kind = encoder.annotated(name, found)
        return (encoded, final, True) if kind == b"commit" else (encoded, oid.encode() + _COMMIT, False)
    encoded = encoder.lightweight(name, oid)
    return (encoded, oid.encode() + _COMMIT, False) if found is None else (encoded, oid.encode(), True)


async def _without_commit(reader: Reader, tag: _Tag) -> bytes:
    """The tag as it is. Raises ObjectNotFound when its commit, or whatever else it peels to, is missing."""
    encoded, revision, is_certain = tag
    oid = revision.removesuffix(_COMMIT).decode("ascii")
    if is_certain:
        raise ObjectNotFound(oid)
    await infos_of(reader, [oid], peeled=True)
    return encoded
