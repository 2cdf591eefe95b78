"""GetTagSignatures and GetTagMessages."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from functools import partial

from gitaly_py.git.commands import Command
from gitaly_py.git.reading.errors import AmbiguousRevision, ObjectNotFound
from gitaly_py.git.reading.interface import GitObject, Reader
from gitaly_py.git.wire.tags import parse_tag, split_signature, target_of
from gitaly_py.pb.ref_pb2 import (
    GetTagMessagesRequest,
    GetTagMessagesResponse,
    GetTagSignaturesRequest,
    GetTagSignaturesResponse,
)
from gitaly_py.rpc.checks import some
from gitaly_py.rpc.packer import STREAM_BYTES
from gitaly_py.rpc.status import Internal, during
from gitaly_py.services.app import Call
from gitaly_py.services.commit.revisions import revision_input
from gitaly_py.services.commit.walks import check_walk, revisions
from gitaly_py.services.piping import Source, contents
from gitaly_py.services.ref.service import service

_SEVERAL = re.compile(rb"[-^]|.*(?:\.\.|\^[@!-])", re.DOTALL)
"""Revisions that stand for several objects, or for none."""

_FEW = 64
"""So many revisions are looked up one by one, which is quicker than to start git."""


@service.rpc(some("tag_revisions", otherwise="missing revisions"), revisions("tag_revisions"))
async def get_tag_signatures(
    call: Call, request: GetTagSignaturesRequest
) -> AsyncIterator[GetTagSignaturesResponse.TagSignature]:
    """The tag objects among the revisions, each with its signature apart (ref-blob.md 5.12).

    As they are stored: a mapped tagger would be none that was signed.
    """
    given = [revision.encode() for revision in request.tag_revisions]
    reader = call.repository.reader()
    tips = await _tips(reader, given)
    source = _walked(call, given) if tips is None else _peeled(reader, tips)
    async with aclosing(source) as tags:
        async for oid, data in tags:
            content, signature = split_signature(data)
            yield GetTagSignaturesResponse.TagSignature(tag_id=oid, content=content, signature=signature)


async def _tips(reader: Reader, given: Sequence[bytes]) -> list[str] | None:
    """The tags among a few plain revisions; None where git has to tell what is meant, if anything."""
    if len(given) > _FEW or any(map(_SEVERAL.match, given)):
        return None
    try:
        async with aclosing(reader.info_each(given)) as infos:
            found = [info async for info in infos]
    except AmbiguousRevision:
        return None
    return None if None in found else [info.oid for info in found if info and info.type == "tag"]


async def _peeled(reader: Reader, tips: Sequence[str]) -> AsyncGenerator[tuple[str, bytes]]:
    """Id and content of each tag and of the tags that it leads to, each once."""
    seen: set[str] = set()
    for tip in tips:
        oid, kind = tip, "tag"
        while kind == "tag" and oid not in seen:
            seen.add(oid)
            tag = await reader.read(oid.encode())
            if tag is None:
                raise ObjectNotFound(oid)
            yield oid, tag.data
            oid, kind = target_of(tag.data)


async def _walked(call: Call, given: Sequence[bytes]) -> AsyncGenerator[tuple[str, bytes]]:
    """The same by `git rev-list`. Commits matter only as far as some are excluded."""
    walked = revision_input(given, call.app.git.version_tuple)
    flags = ["--stdin", "--no-walk", "--objects", "--no-object-names"]
    flags += ["--filter=object:type=tag", "--filter-provided-objects"]
    command = Command(name="rev-list", flags=flags, args=walked.arguments, paths=[])
    begun = ""
    pieces: list[bytes] = []
    source = Source(command, partial(check_walk, "cat-file iterator stop"), walked.stdin)
    async with aclosing(contents(call, source, limit=-1)) as batches:
        async for parts in batches:
            for oid, _, data in parts:
                if oid and begun:
                    yield begun, b"".join(pieces)
                if oid:
                    begun, pieces = oid.decode("ascii"), []
                pieces.append(data)
    if begun:
        yield begun, b"".join(pieces)


async def _tag(reader: Reader, revision: str) -> GitObject:
    """The tag object that `revision` names. Raises ObjectNotFound, and Internal for another object."""
    info = await reader.info(revision.encode())
    if info is not None and info.type != "tag":
        raise Internal(f"expected tag, got {info.type}")
    tag = None if info is None else await reader.read(info.oid.encode())
    if tag is None:
        raise ObjectNotFound(revision)
    return tag


@service.rpc()
async def get_tag_messages(
    call: Call, request: GetTagMessagesRequest
) -> AsyncIterator[GetTagMessagesResponse]:
    """The whole message of each tag object, behind the id as it was given (ref-blob.md 5.13)."""
    reader = call.repository.reader()
    for tag_id in request.tag_ids:
        with during("getting tag"):
            tag = await _tag(reader, tag_id)
        yield GetTagMessagesResponse(tag_id=tag_id)
        message = parse_tag(tag.data).raw_message
        for at in range(0, len(message), STREAM_BYTES):
            yield GetTagMessagesResponse(message=message[at : at + STREAM_BYTES])
