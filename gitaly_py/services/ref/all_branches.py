"""FindAllBranches and FindAllRemoteBranches."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from itertools import compress

from gitaly_py.git.commands import Command
from gitaly_py.git.process import Stderr
from gitaly_py.git.reading.branches import default_branch
from gitaly_py.git.reading.interface import Reader, References
from gitaly_py.git.reading.matching import Patterns, matching
from gitaly_py.git.wire.mailmap import Mailmap
from gitaly_py.pb.ref_pb2 import (
    FindAllBranchesRequest,
    FindAllBranchesResponse,
    FindAllRemoteBranchesRequest,
)
from gitaly_py.pb.shared_pb2 import Branch, GitCommit
from gitaly_py.rpc.checks import some
from gitaly_py.rpc.status import Internal, during
from gitaly_py.services.app import Call
from gitaly_py.services.messages import git_commit, mailmap_of
from gitaly_py.services.ref.objects import commits_of
from gitaly_py.services.ref.portions import in_portions
from gitaly_py.services.ref.requests import check_arguments
from gitaly_py.services.ref.service import service

_BRANCHES = (b"refs/heads", b"refs/remotes")

_PORTION = 256
"""Branches whose objects are in memory at a time."""

_COMMAND_LINE = 64 << 10
"""Bytes of patterns that git gets as arguments; of more it gets none, and we choose."""


@service.rpc()
async def find_all_branches(
    call: Call, request: FindAllBranchesRequest
) -> AsyncIterator[FindAllBranchesResponse.Branch]:
    """The local and remote branches, or those merged into the default branch (ref-blob.md 5.3)."""
    reader = call.repository.reader()
    if request.merged_only:
        patterns = list(request.merged_branches) or list(_BRANCHES)
        check_arguments(patterns)
        batches = _merged(call, reader, patterns)
    else:
        batches = matching(reader, Patterns(_BRANCHES))
    async with aclosing(_with_commits(reader, batches)) as branches:
        async for name, commit in branches:
            yield FindAllBranchesResponse.Branch(name=name, target=commit)


@service.rpc(some("remote_name", otherwise="empty RemoteName"))
async def find_all_remote_branches(
    call: Call, request: FindAllRemoteBranchesRequest
) -> AsyncIterator[Branch]:
    """The branches of one remote under their full names (ref-blob.md 5.6)."""
    pattern = b"refs/remotes/" + request.remote_name.encode()
    check_arguments([pattern])
    reader = call.repository.reader()
    async with aclosing(_with_commits(reader, matching(reader, Patterns([pattern])))) as branches:
        async for name, commit in branches:
            yield Branch(name=name, target_commit=commit)


async def _with_commits(
    reader: Reader, source: AsyncGenerator[References]
) -> AsyncGenerator[tuple[bytes, GitCommit]]:
    """Name and commit of each reference. Raises ObjectNotFound for one that leads to no commit."""
    mailmap = await mailmap_of(reader)
    async with aclosing(source) as batches:
        async for batch in batches:
            for portion in in_portions(batch, _PORTION):
                for each in await _portion(reader, portion, mailmap):
                    yield each


async def _portion(reader: Reader, portion: References, mailmap: Mailmap) -> list[tuple[bytes, GitCommit]]:
    """A commit that several references share becomes one message."""
    commits = await commits_of(reader, portion.oids)
    messages = {oid: git_commit(commit, mailmap) for oid, commit in commits.items()}
    return [(name, messages[oid]) for name, oid in portion]


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
