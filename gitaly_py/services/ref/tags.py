"""FindAllTags."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import chain
from typing import Any

from gitaly_py.git.reading.interface import Reader, References
from gitaly_py.git.reading.matching import Patterns
from gitaly_py.git.wire.mailmap import Mailmap
from gitaly_py.git.wire.refnames import TAGS
from gitaly_py.pb.ref_pb2 import FindAllTagsRequest
from gitaly_py.pb.shared_pb2 import GitCommit, SortDirection, Tag
from gitaly_py.rpc.checks import FieldCheck
from gitaly_py.rpc.status import InvalidArgument
from gitaly_py.services.app import Call
from gitaly_py.services.messages import annotated_tag, git_commit, mailmap_of
from gitaly_py.services.ref.listing import Listing
from gitaly_py.services.ref.objects import infos_of, objects_of
from gitaly_py.services.ref.paging import Page
from gitaly_py.services.ref.service import service
from gitaly_py.services.ref.sorting import Key, Order

_KEYS = {
    FindAllTagsRequest.SortBy.REFNAME: Key.NAME,
    FindAllTagsRequest.SortBy.CREATORDATE: Key.CREATOR_DATE,
    FindAllTagsRequest.SortBy.VERSION_REFNAME: Key.VERSION,
}

_PORTION = 256
"""Tags whose objects are in memory at a time."""


def _is_supported(sort_by: Any) -> None:
    if sort_by.direction not in SortDirection.values():
        raise InvalidArgument(f"unsupported sorting direction: {sort_by.direction}")
    if sort_by.key not in _KEYS:
        raise InvalidArgument(f"unsupported sorting key: {sort_by.key}")


@service.rpc(FieldCheck("sort_by", _is_supported))
async def find_all_tags(call: Call, request: FindAllTagsRequest) -> AsyncIterator[Tag]:
    """Every tag with its message and the commit it leads to, if it does (ref-blob.md 5.4)."""
    reader = call.repository.reader()
    mailmap = await mailmap_of(reader)
    descending = request.sort_by.direction == SortDirection.DESCENDING
    order = Order(_KEYS[request.sort_by.key], descending=descending)
    listing = Listing(reader, Patterns([TAGS]), order, Page.of(request))
    async with aclosing(listing.batches(_PORTION)) as batches:
        async for batch in batches:
            async for tag in _tags(reader, batch, mailmap):
                yield tag


async def _tags(reader: Reader, batch: References, mailmap: Mailmap) -> AsyncIterator[Tag]:
    """The messages of one batch; what several tags lead to is read once."""
    targets = await infos_of(reader, batch.oids)
    annotated = [oid for oid, info in targets.items() if info.type == "tag"]
    finals = targets | await infos_of(reader, annotated, peeled=True)
    wanted = [info.oid for info in finals.values() if info.type == "commit"]
    objects = await objects_of(reader, chain(annotated, wanted))
    commits: dict[str, GitCommit] = {}
    for name, oid in batch:
        final = finals[oid].oid
        if finals[oid].type == "commit" and final not in commits:
            commits[final] = git_commit(objects[final], mailmap)
        short_name = name.removeprefix(TAGS)
        if targets[oid].type == "tag":
            yield annotated_tag(short_name, objects[oid], commits.get(final), mailmap)
        else:
            yield Tag(name=short_name, id=oid, target_commit=commits.get(oid))
