"""GetTagSignatures and GetTagMessages."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

from gitaly_py.git.commands import Command
from gitaly_py.git.errors import describe_status
from gitaly_py.git.process import Process, Stderr
from gitaly_py.git.reading.errors import ObjectNotFound
from gitaly_py.git.reading.interface import GitObject, Reader
from gitaly_py.git.wire.goquote import quote
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
from gitaly_py.services.commit.walks import revisions
from gitaly_py.services.ref.service import service

_SEVERAL = re.compile(rb"[-^]|.*(?:\.\.|\^[@!-])", re.DOTALL)
"""Revisions that stand for several objects, or for none."""

_PORTION = 256
"""Revisions that are looked up at a stretch."""


@service.rpc(some("tag_revisions", otherwise="missing revisions"), revisions("tag_revisions"))
async def get_tag_signatures(
    call: Call, request: GetTagSignaturesRequest
) -> AsyncIterator[GetTagSignaturesResponse.TagSignature]:
    """The tag objects among the revisions, each with its signature apart (ref-blob.md 5.12).

    As they are stored: a mapped tagger would be none that was signed.
    """
    given = [revision.encode() for revision in request.tag_revisions]
    async with aclosing(_tags(call, given)) as tags:
        async for tag in tags:
            content, signature = split_signature(tag.data)
            yield GetTagSignaturesResponse.TagSignature(tag_id=tag.oid, content=content, signature=signature)


async def _tags(call: Call, given: Sequence[bytes]) -> AsyncGenerator[GitObject]:
    """Each tag object that the revisions lead to, once; a tag of a tag before the latter."""
    reader = call.repository.reader()
    tips = await _tips(reader, given)
    if tips is None:
        async with aclosing(_walked(call, reader, given)) as tags:
            async for tag in tags:
                yield tag
        return
    seen: set[str] = set()
    for tip in tips:
        oid, kind = tip, "tag"
        while kind == "tag" and oid not in seen:
            seen.add(oid)
            tag = await _tag(reader, oid)
            yield tag
            oid, kind = target_of(tag.data)


async def _tips(reader: Reader, given: Sequence[bytes]) -> list[str] | None:
    """The tags among plain revisions; None where git has to tell what is meant, or that it is nothing."""
    if any(map(_SEVERAL.match, given)):
        return None
    async with aclosing(reader.info_each(given)) as infos:
        found = [info async for info in infos]
    return None if None in found else [info.oid for info in found if info and info.type == "tag"]


async def _walked(call: Call, reader: Reader, given: Sequence[bytes]) -> AsyncGenerator[GitObject]:
    """The tags that `git rev-list` finds. Commits matter only as far as some are excluded."""
    walked = revision_input(given, call.app.git.version_tuple)
    command = Command(
        name="rev-list",
        flags=[
            *("--stdin", "--no-walk", "--objects", "--no-object-names"),
            *("--filter=object:type=tag", "--filter-provided-objects"),
        ],
        args=walked.arguments,
        paths=[],
    )
    git = call.app.git
    async with git.start(call.repository.git, command, stdin=walked.stdin, stderr=Stderr.KEEP) as process:
        async with aclosing(process.batches(b"\n")) as batches:
            async for ids in batches:
                async with aclosing(reader.read_each(ids)) as tags:
                    expected = iter(ids)
                    async for tag in tags:
                        oid = next(expected)
                        if tag is None:
                            raise ObjectNotFound(oid.decode("ascii"))
                        yield tag
        await _check(process)


async def _check(process: Process) -> None:
    status = await process.wait()
    if status != 0:
        raise Internal(
            f"cat-file iterator stop: rev-list pipeline command: {describe_status(status)}"
            f", stderr: {quote(process.stderr)}"
        )


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
