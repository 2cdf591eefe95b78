"""The objects that a FindChangedPathsRequest compares (diff-conflicts.md 6.1)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from itertools import takewhile
from typing import NamedTuple

from gitaly_py.git.process import Git
from gitaly_py.git.reading.bulk import FEW, bulk
from gitaly_py.git.reading.interface import Reader
from gitaly_py.git.reading.revisions import is_full_id
from gitaly_py.git.wire.goquote import quote
from gitaly_py.pb.diff_pb2 import FindChangedPathsRequest
from gitaly_py.rpc.status import Internal, InvalidArgument, NotFound, during


class Named(NamedTuple):
    """A revision of a request. role: how error texts call it; type: of the object it must lead to."""

    role: str
    revision: bytes
    type: bytes


async def comparisons(git: Git, reader: Reader, requests: Sequence[FindChangedPathsRequest.Request]) -> bytes:
    """What `git diff-tree --stdin` is told: the ids of each comparison in a line.

    Raises InvalidArgument and NotFound for the first revision that names nothing, and Internal for a
    comparison of nothing.
    """
    named = [list(_named(request)) for request in requests]
    ids = iter(await _resolved(git, reader, [each for line in named for each in line]))
    if not all(named):
        raise Internal("unknown FindChangedPathsRequest type")
    return b"".join(b" ".join(next(ids) for _ in line) + b"\n" for line in named)


def _named(request: FindChangedPathsRequest.Request) -> Iterator[Named]:
    if request.HasField("commit_request"):
        commit = request.commit_request
        yield Named("resolving commit", commit.commit_revision.encode(), b"commit")
        for parent in commit.parent_commit_revisions:
            yield Named("resolving commit parent", parent.encode(), b"commit")
    elif request.HasField("tree_request"):
        tree = request.tree_request
        yield Named("resolving left tree", tree.left_tree_revision.encode(), b"tree")
        yield Named("resolving right tree", tree.right_tree_revision.encode(), b"tree")


async def _resolved(git: Git, reader: Reader, named: list[Named]) -> list[bytes]:
    usable = list(takewhile(lambda each: each.revision, named))
    peeled = [b"%b^{%b}" % (each.revision, each.type) for each in usable]
    are_ids = all(is_full_id(each.revision, reader.format) for each in usable)
    look_up = _looked_up_in_bulk if are_ids and len(usable) > FEW else _looked_up
    ids: list[bytes] = []
    async with aclosing(look_up(git, reader, peeled)) as found:
        for each in usable:
            with during(each.role):
                oid = await anext(found)
                if oid is None:
                    raise NotFound(f"revision can not be found: {quote(each.revision)}")
            ids.append(oid)
    if len(usable) < len(named):
        raise InvalidArgument(f"{named[len(usable)].role}: revision cannot be empty")
    return ids


async def _looked_up(git: Git, reader: Reader, revisions: list[bytes]) -> AsyncGenerator[bytes | None, None]:
    async with aclosing(reader.info_each(revisions)) as found:
        async for info in found:
            yield info and info.oid.encode()


async def _looked_up_in_bulk(
    git: Git, reader: Reader, revisions: list[bytes]
) -> AsyncGenerator[bytes | None, None]:
    async with bulk(git, reader.repository, "objectname") as objects:
        for oid in await objects.of(revisions):
            yield oid
