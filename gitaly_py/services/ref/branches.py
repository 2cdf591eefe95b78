"""FindLocalBranches and FindBranch."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from gitaly_py.git.reading.errors import ObjectNotFound
from gitaly_py.git.reading.interface import GitObject, References
from gitaly_py.git.reading.matching import Patterns, matching
from gitaly_py.git.wire.goquote import quote
from gitaly_py.git.wire.refnames import HEADS
from gitaly_py.pb.ref_pb2 import FindBranchRequest, FindBranchResponse, FindLocalBranchesRequest
from gitaly_py.pb.shared_pb2 import Branch
from gitaly_py.rpc.checks import FieldCheck, some
from gitaly_py.rpc.status import Internal, InvalidArgument
from gitaly_py.services.app import Call
from gitaly_py.services.messages import NO_MAILMAP, kept_git_commit, mailmap_of
from gitaly_py.services.ref.ahead import Asked, with_objects
from gitaly_py.services.ref.encoding import BranchEncoder
from gitaly_py.services.ref.listing import Listing
from gitaly_py.services.ref.paging import Page
from gitaly_py.services.ref.requests import check_arguments, exclusions
from gitaly_py.services.ref.service import service
from gitaly_py.services.ref.sorting import Key, Order

_ORDERS = {
    FindLocalBranchesRequest.NAME: Order(),
    FindLocalBranchesRequest.UPDATED_ASC: Order(Key.COMMITTER_DATE),
    FindLocalBranchesRequest.UPDATED_DESC: Order(Key.COMMITTER_DATE, descending=True),
}

_PORTION = 1024
"""Branches whose commits are asked for at a time."""


def _is_supported(sort_by: int) -> None:
    if sort_by not in _ORDERS:
        raise InvalidArgument(f"unsupported sorting key: {sort_by}")


@service.rpc(exclusions("refs/heads/"), FieldCheck("sort_by", _is_supported))
async def find_local_branches(call: Call, request: FindLocalBranchesRequest) -> AsyncIterator[list[bytes]]:
    """The branches under their full names, with their commits (ref-blob.md 5.2).

    Alone among the RPCs with commits, it leaves identities as they are stored (ref-blob.md 1.5).
    """
    reader = call.repository.reader()
    listing = Listing(
        reader,
        Patterns([HEADS], exclude=request.exclude_patterns),
        _ORDERS[request.sort_by],
        Page.of(request, prefix="invalid page token: sending lines: "),
    )
    encoder = BranchEncoder(NO_MAILMAP)
    async with aclosing(with_objects(reader, _asked(listing.batches(_PORTION)))) as portions:
        async for portion in portions:
            yield [encoder.encode(name, _commit(oid, target)) for (name, oid), target in portion]


async def _asked(source: AsyncGenerator[References]) -> AsyncGenerator[Asked[tuple[bytes, str]]]:
    """Name and id of each reference, and the id to ask for."""
    async with aclosing(source) as batches:
        async for batch in batches:
            yield [*batch], [*map(str.encode, batch.oids)]


@service.rpc(some("name", otherwise="Branch name cannot be empty"))
async def find_branch(call: Call, request: FindBranchRequest) -> FindBranchResponse:
    """The branch of that name, taken literally; none is no error (ref-blob.md 5.8).

    A name that is none, but finds a branch when taken for a pattern, is refused.
    """
    reader = call.repository.reader()
    name = HEADS + request.name
    check_arguments([name])
    reference = await reader.reference(name)
    if reference is None:
        async with aclosing(matching(reader, Patterns([name]))) as batches:
            async for batch in batches:
                raise InvalidArgument(
                    "target reference is ambiguous: reference is ambiguous: "
                    f"conflicts with {quote(batch.names[0])}"
                )
        return FindBranchResponse()
    if reference.oid == reader.format.zero_oid:
        # Broken: git does not list it.
        return FindBranchResponse()
    target = await reader.read(reference.oid.encode())
    commit = kept_git_commit(_commit(reference.oid, target), await mailmap_of(call, reader))
    return FindBranchResponse(branch=Branch(name=request.name, target_commit=commit))


def _commit(oid: str, target: GitObject | None) -> GitObject:
    if target is None:
        raise ObjectNotFound(oid)
    if target.type != "commit":
        raise Internal(f"expected commit, got {target.type}")
    return target
