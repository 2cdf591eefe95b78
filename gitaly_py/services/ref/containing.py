"""ListBranchNamesContainingCommit and ListTagNamesContainingCommit (ref-blob.md 5.11).

`git for-each-ref --contains` walks history anew for each reference, which is quickest for a few. One walk
over everything that descends from the commit tells the same of all references at once.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, AsyncIterator, Container, Iterable, Sequence
from contextlib import aclosing

from grpc import StatusCode

from gitaly_py.git.commands import Command, Flag
from gitaly_py.git.process import Stderr
from gitaly_py.git.reading.interface import Reader, References
from gitaly_py.git.wire.oids import parse_oid
from gitaly_py.git.wire.refnames import HEADS, TAGS
from gitaly_py.pb.ref_pb2 import (
    ListBranchNamesContainingCommitRequest,
    ListTagNamesContainingCommitRequest,
)
from gitaly_py.rpc.status import Internal, during
from gitaly_py.services.app import Call
from gitaly_py.services.ref.portions import in_portions
from gitaly_py.services.ref.service import service

_FEW = 16
"""So many references are left to for-each-ref."""

_PORTION = 1024
"""References handled before other calls get the event loop."""


@service.rpc()
async def list_branch_names_containing_commit(
    call: Call, request: ListBranchNamesContainingCommitRequest
) -> AsyncIterator[list[bytes]]:
    """Names of the branches from which the commit is reachable."""
    async with aclosing(_containing(call, request.commit_id, HEADS, request.limit)) as names:
        async for some_names in names:
            yield some_names


@service.rpc()
async def list_tag_names_containing_commit(
    call: Call, request: ListTagNamesContainingCommitRequest
) -> AsyncIterator[list[bytes]]:
    """Names of the tags from which the commit is reachable."""
    async with aclosing(_containing(call, request.commit_id, TAGS, request.limit)) as names:
        async for some_names in names:
            yield some_names


async def _containing(
    call: Call, commit_id: str, namespace: bytes, limit: int
) -> AsyncGenerator[list[bytes]]:
    """The names below `namespace`, without it, in byte order. limit: the most names, 0 for all."""
    reader = call.repository.reader()
    with during("", undecided=StatusCode.INVALID_ARGUMENT):
        oid = parse_oid(commit_id.encode(), reader.format)
    commit = await reader.info(oid.encode() + b"^{commit}")
    if commit is None:
        raise Internal("exit status 129")
    names: list[bytes] = []
    tips: list[str] = []
    async with aclosing(reader.references(namespace)) as batches:
        async for batch in batches:
            for portion in in_portions(batch, _PORTION):
                for name, tip in zip(portion.names, await _tips(reader, portion), strict=True):
                    if tip is not None:
                        names.append(name)
                        tips.append(tip)
    few = len(names) <= _FEW
    keys: Sequence[bytes | str] = names if few else tips
    chosen: Container[bytes | str] = (
        await _listed(call, commit.oid, namespace) if few else await _descendants(call, commit.oid, tips)
    )
    left = limit or sys.maxsize
    for at in range(0, len(names), _PORTION):
        part = slice(at, at + _PORTION)
        pairs = zip(names[part], keys[part], strict=True)
        found = [name.removeprefix(namespace) for name, key in pairs if key in chosen]
        yield found[:left]
        left -= len(found)
        if left <= 0:
            return


async def _tips(reader: Reader, batch: References) -> list[str | None]:
    """What each reference of the batch peels to in the end; None for a broken one, which git leaves out."""
    pairs = list(zip(batch.oids, batch.peeled, strict=True))
    unknown = list(dict.fromkeys(oid for oid, peeled in pairs if peeled is None))
    async with aclosing(reader.info_each(oid.encode() + b"^{}" for oid in unknown)) as infos:
        finals = dict(zip(unknown, [info and info.oid async for info in infos], strict=True))
    return [peeled or finals[oid] for oid, peeled in pairs]


async def _listed(call: Call, commit: str, namespace: bytes) -> frozenset[bytes]:
    """The references below `namespace` from which the commit is reachable."""
    flags: list[Flag] = [("--contains", commit), "--format=%(refname)"]
    command = Command(name="for-each-ref", flags=flags, args=[namespace])
    return frozenset((await call.app.git.run(call.repository.git, command)).check().stdout.splitlines())


async def _descendants(call: Call, commit: str, tips: Iterable[str]) -> set[str]:
    """Those of the tips from which the commit is reachable. Tips that are no commits may be among them."""
    wanted = {tip.encode() for tip in tips}
    found = wanted & {commit.encode()}
    others = wanted - found
    if others:
        stdin = b"".join(b"%s\n" % tip for tip in others) + b"^%s\n" % commit.encode()
        command = Command(name="rev-list", flags=["--stdin", "--ancestry-path"])
        git = call.app.git
        async with git.start(call.repository.git, command, stdin=stdin, stderr=Stderr.KEEP) as process:
            async with aclosing(process.batches(b"\n")) as batches:
                async for ids in batches:
                    found |= others.intersection(ids)
            await process.check()
    return {oid.decode("ascii") for oid in found}
