"""FilterShasWithSignatures and GetCommitSignatures (commit.md 3.1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from gitaly_py.git.reading.interface import GitObject
from gitaly_py.git.signing.keys import VerifyingKey, is_signed_by, load_keys
from gitaly_py.git.wire.commits import SignedCommit, parse_commit, parse_signed_commit
from gitaly_py.git.wire.errors import InvalidObjectId
from gitaly_py.git.wire.ident import Ident
from gitaly_py.git.wire.objects import ObjectFormat
from gitaly_py.git.wire.oids import parse_oid
from gitaly_py.git.wire.signatures import SignatureType
from gitaly_py.pb.commit_pb2 import (
    FilterShasWithSignaturesRequest,
    FilterShasWithSignaturesResponse,
    GetCommitSignaturesRequest,
    GetCommitSignaturesResponse,
)
from gitaly_py.pb.shared_pb2 import CommitAuthor
from gitaly_py.rpc.checks import some
from gitaly_py.rpc.status import InvalidArgument, during
from gitaly_py.services.app import Call
from gitaly_py.services.commit.messages import pieces
from gitaly_py.services.commit.service import service
from gitaly_py.services.messages import NO_MAILMAP, commit_author

_SYSTEM = GetCommitSignaturesResponse.SIGNER_SYSTEM
_USER = GetCommitSignaturesResponse.SIGNER_USER


@service.rpc(no_request="EOF")
async def filter_shas_with_signatures(
    call: Call, requests: AsyncIterator[FilterShasWithSignaturesRequest]
) -> AsyncIterator[FilterShasWithSignaturesResponse]:
    """For each message, those of its commits that have a signature of a known kind."""
    async for request in requests:
        reader = call.repository.reader()
        shas = iter(request.shas)
        response = FilterShasWithSignaturesResponse()
        async with aclosing(reader.read_each([sha + b"^{commit}" for sha in request.shas])) as commits:
            async for commit in commits:
                sha = next(shas)
                if commit is not None and _is_signed(commit):
                    response.shas.append(sha)
        yield response


def _is_signed(commit: GitObject) -> bool:
    # Most commits are not, and need not be parsed to see it.
    if b"gpgsig" not in commit.data:
        return False
    return parse_commit(commit.data).signature_type is not SignatureType.NONE


@service.rpc(some("commit_ids", otherwise="empty CommitIds"))
async def get_commit_signatures(
    call: Call, request: GetCommitSignaturesRequest
) -> AsyncIterator[GetCommitSignaturesResponse]:
    """Signature, signed text, and who signed it, of each commit that has one."""
    reader = call.repository.reader(steady=True)
    revisions = [_revision(commit_id, reader.format) for commit_id in request.commit_ids]
    keys = await _system_keys(call)
    ids = iter(request.commit_ids)
    async with aclosing(reader.read_each(revisions)) as commits:
        async for commit in commits:
            commit_id = next(ids)
            if commit is None or b"gpgsig" not in commit.data:
                continue
            signed = parse_signed_commit(commit.data)
            if signed.signatures:
                yield await _first_message(commit_id, commit, signed, keys)
                for piece in pieces(signed.payload):
                    yield GetCommitSignaturesResponse(signed_text=piece)


def _revision(commit_id: str, object_format: ObjectFormat) -> bytes:
    try:
        return parse_oid(commit_id.encode(), object_format).encode() + b"^{commit}"
    except InvalidObjectId as error:
        raise InvalidArgument(str(error)) from error


async def _system_keys(call: Call) -> Sequence[VerifyingKey]:
    """The keys whose signatures are the system's own, past ones included; none unless it has one now."""
    config = call.app.config.git
    if not config.signing_key:
        return ()
    paths = [config.signing_key, *config.rotated_signing_keys]
    with during("failed to parse signing key"):
        return await asyncio.to_thread(load_keys, paths)


async def _first_message(
    commit_id: str, commit: GitObject, signed: SignedCommit, keys: Sequence[VerifyingKey]
) -> GetCommitSignaturesResponse:
    parsed = parse_commit(commit.data)
    signature = signed.signatures[0]
    by_system = bool(keys) and await asyncio.to_thread(is_signed_by, keys, signature, signed.payload)
    return GetCommitSignaturesResponse(
        commit_id=commit_id,
        signature=signature,
        signer=_SYSTEM if by_system else _USER,
        author=_person(parsed.author),
        committer=_person(parsed.committer),
    )


def _person(ident: Ident | None) -> CommitAuthor | None:
    return None if ident is None else commit_author(ident, NO_MAILMAP)
