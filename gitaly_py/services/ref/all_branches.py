"""FindAllBranches and FindAllRemoteBranches."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from itertools import compress

from gitaly_py.git.commands import Command
from gitaly_py.git.process import Stderr
from gitaly_py.git.reading.branches import default_branch
from gitaly_py.git.reading.errors import ObjectNotFound
from gitaly_py.git.reading.interface import GitObject, Reader, References
from gitaly_py.git.reading.matching import Patterns, matching
from gitaly_py.pb.ref_pb2 import FindAllBranchesRequest, FindAllRemoteBranchesRequest
from gitaly_py.rpc.checks import some
from gitaly_py.rpc.status import Internal, during
from gitaly_py.services.app import Call
from gitaly_py.services.messages import mailmap_of
from gitaly_py.services.ref.ahead import Asked, with_objects
from gitaly_py.services.ref.encoding import BranchEncoder
from gitaly_py.services.ref.requests import check_arguments
from gitaly_py.services.ref.service import service

_BRANCHES = (b"refs/heads", b"refs/remotes")

_COMMIT = b"^{commit}"

_COMMAND_LINE = 64 << 10
"""Bytes of patterns that git gets as arguments; of more it gets none, and we choose."""


@service.rpc()
async def find_all_branches(call: Call, request: FindAllBranchesRequest) -> AsyncIterator[list[bytes]]:
    """The local and remote branches, or those merged into the default branch (ref-blob.md 5.3)."""
    reader = call.repository.reader()
    if request.merged_only:
        patterns = list(request.merged_branches) or list(_BRANCHES)
        check_arguments(patterns)
        batches = _merged(call, reader, patterns)
    else:
        batches = matching(reader, Patterns(_BRANCHES))
    async with aclosing(_encoded(call, reader, batches)) as portions:
        async for portion in portions:
            yield portion


@service.rpc(some("remote_name", otherwise="empty RemoteName"))
async def find_all_remote_branches(
    call: Call, request: FindAllRemoteBranchesRequest
) -> AsyncIterator[list[bytes]]:
    """The branches of one remote under their full names (ref-blob.md 5.6)."""
    pattern = b"refs/remotes/" + request.remote_name.encode()
    check_arguments([pattern])
    reader = call.repository.reader()
    async with aclosing(_encoded(call, reader, matching(reader, Patterns([pattern])))) as portions:
        async for portion in portions:
            yield portion


async def _encoded(
    call: Call, reader: Reader, source: AsyncGenerator[References]
) -> AsyncGenerator[list[bytes]]:
    """The references as encoded branches. Raises ObjectNotFound for one that leads to no commit."""
    encoder = BranchEncoder(await mailmap_of(call, reader))
    async with aclosing(with_objects(reader, _asked(source))) as portions:
        async for portion in portions:
            yield [encoder.encode(name, _commit(oid, target)) for (name, oid), target in portion]


async def _asked(source: AsyncGenerator[References]) -> AsyncGenerator[Asked[tuple[bytes, str]]]:
    """Name and id of each reference, and what to ask for: the commit that it is or peels to.

    To peel costs git twice as much as to read.
    """
    async with aclosing(source) as batches:
        async for batch in batches:
            peeled = zip(batch.oids, batch.peeled, strict=True)
            yield (
                [*batch],
                [oid.encode() if final == oid else oid.encode() + _COMMIT for oid, final in peeled],
            )


def _commit(oid: str, target: GitObject | None) -> GitObject:
    if target is None or target.type != "commit":
        raise ObjectNotFound(oid)
    return target


async def _merged(call: Call, reader: Reader, patterns: Sequence[bytes]) -> AsyncGenerator[References]:
    """The references that match and whose commits are reachable from the default branch."""
    with during("get default branch"):
        default = await default_branch(reader)
    if default is None:
        raise Internal("finding refs: listing failed with exit code 128")
    short = sum(map(len, patterns)) <= _COMMAND_LINE
    command = Command(
        name="for-each-ref",
        flags=["--format=%(objectname) %(refname)", ("--merged", default)],
        args=patterns if short else [b"refs/"],
    )
    wanted = Patterns(patterns)
    async with call.app.git.start(call.repository.git, command, stderr=Stderr.KEEP) as process:
        async with aclosing(process.batches(b"\n")) as batches:
            async for lines in batches:
                pairs = [line.split(b" ") for line in lines]
                names = [name for _, name in pairs]
                oids = [oid.decode("ascii") for oid, _ in pairs]
                chosen = [True] * len(names) if short else wanted.select(names)
                some = list(compress(names, chosen))
                yield References(some, list(compress(oids, chosen)), [None] * len(some))
        await process.check()
