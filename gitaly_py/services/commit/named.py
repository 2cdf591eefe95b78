"""Commits by what their callers call them (commit.md 3.1). Whoever names no commit is left out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

from gitaly_py.git.reading.interface import GitObject, Reader
from gitaly_py.pb.commit_pb2 import (
    ListCommitsByOidRequest,
    ListCommitsByRefNameRequest,
    ListCommitsByRefNameResponse,
)
from gitaly_py.rpc.packer import field_prefixes
from gitaly_py.services.app import Call
from gitaly_py.services.commit.encoding import CommitEncoder
from gitaly_py.services.commit.service import service
from gitaly_py.services.messages import mailmap_of
from gitaly_py.telemetry import metrics

_BATCH = 128

_commit = field_prefixes(ListCommitsByRefNameResponse.CommitForRef.COMMIT_FIELD_NUMBER)
_ref_name = field_prefixes(ListCommitsByRefNameResponse.CommitForRef.REF_NAME_FIELD_NUMBER)


@service.rpc()
async def list_commits_by_oid(call: Call, request: ListCommitsByOidRequest) -> AsyncIterator[list[bytes]]:
    """The commit of each revision, in order."""
    metrics.list_commits_by_oid_request_size.observe(len(request.oid))
    reader = call.repository.reader()
    encoder = CommitEncoder(await mailmap_of(call, reader))
    async with aclosing(_named(reader, [oid.encode() for oid in request.oid])) as batches:
        async for batch in batches:
            yield [encoder.encode(commit) for _, commit in batch]


@service.rpc()
async def list_commits_by_ref_name(
    call: Call, request: ListCommitsByRefNameRequest
) -> AsyncIterator[list[bytes]]:
    """The commit of each revision, in order, with the revision as it was asked for."""
    reader = call.repository.reader()
    encoder = CommitEncoder(await mailmap_of(call, reader))
    async with aclosing(_named(reader, request.ref_names)) as batches:
        async for batch in batches:
            yield [_commit_for_ref(encoder.encode(commit), name) for name, commit in batch]


def _commit_for_ref(commit: bytes, name: bytes) -> bytes:
    return b"".join((_commit(len(commit)), commit, _ref_name(len(name)), name))


async def _named(reader: Reader, revisions: Sequence[bytes]) -> AsyncGenerator[list[tuple[bytes, GitObject]]]:
    """Revisions with their commits, in order. Raises RevisionHasNul."""
    names = iter(revisions)
    async with (
        aclosing(_once([revision + b"^{commit}" for revision in revisions])) as wanted,
        aclosing(reader.read_batches(wanted)) as batches,
    ):
        async for batch in batches:
            for start in range(0, len(batch), _BATCH):
                pairs = zip(batch[start : start + _BATCH], names, strict=False)
                # What is behind a colon is a path to the end: `main:x^{commit}` may be a file.
                yield [(name, found) for found, name in pairs if found and found.type == "commit"]


async def _once(revisions: Sequence[bytes]) -> AsyncGenerator[Sequence[bytes]]:
    yield revisions
