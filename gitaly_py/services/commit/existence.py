"""CheckObjectsExist (commit.md 3.3)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

from gitaly_py.git.reading.bulk import bulk
from gitaly_py.git.reading.interface import Reader
from gitaly_py.pb.commit_pb2 import CheckObjectsExistRequest, CheckObjectsExistResponse
from gitaly_py.rpc.packer import field_prefixes
from gitaly_py.services.app import Call
from gitaly_py.services.checks import revision_test
from gitaly_py.services.commit.service import service

_PART = 2000
"""Revisions worked on in a row, which takes about a millisecond."""

_FEW = 512
"""Revisions that a reader looks up faster than a git process starts."""

_validate = revision_test(prefix="invalid revision: ", paths=True)

_name = field_prefixes(CheckObjectsExistResponse.RevisionExistence.NAME_FIELD_NUMBER)
_EXISTS = CheckObjectsExistResponse.RevisionExistence(exists=True).SerializeToString()


@service.rpc(no_request="EOF")
async def check_objects_exist(
    call: Call, requests: AsyncIterator[CheckObjectsExistRequest]
) -> AsyncIterator[list[bytes]]:
    """Whether each revision names an object that is there, in order over all requests."""
    reader = call.repository.reader()
    full_ids = re.compile(rb"(?:[0-9a-f]{%d}\n)+" % reader.format.hex_length)
    asked = 0
    async with bulk(call.app.git, call.repository.git, "objecttype") as types:
        async for request in requests:
            for revisions, are_ids in await _validated(request.revisions, full_ids):
                asked += len(revisions)
                if are_ids and asked > _FEW:
                    found = await types.of(revisions)
                    yield [_answer(*each) for each in zip(revisions, found, strict=True)]
                    continue
                async with aclosing(_looked_up(reader, revisions)) as batches:
                    async for batch in batches:
                        yield batch


async def _validated(
    revisions: Sequence[bytes], full_ids: re.Pattern[bytes]
) -> list[tuple[list[bytes], bool]]:
    """All revisions, some at a time, and whether they are full ids. Raises InvalidArgument."""
    parts: list[tuple[list[bytes], bool]] = []
    for start in range(0, len(revisions), _PART):
        part = list(revisions[start : start + _PART])
        are_ids = full_ids.fullmatch(b"\n".join([*part, b""])) is not None
        if not are_ids:
            for revision in part:
                _validate(revision)
        parts.append((part, are_ids))
        await asyncio.sleep(0)
    return parts


async def _looked_up(reader: Reader, revisions: Sequence[bytes]) -> AsyncGenerator[list[bytes]]:
    """The answers to revisions of whatever kind."""
    names = iter(revisions)
    async with aclosing(_once(revisions)) as once, aclosing(reader.info_batches(once)) as batches:
        async for batch in batches:
            yield [_answer(next(names), info) for info in batch]


async def _once(revisions: Sequence[bytes]) -> AsyncGenerator[Sequence[bytes]]:
    yield revisions


def _answer(name: bytes, found: object) -> bytes:
    """An encoded RevisionExistence. found: None where there is no object."""
    return _name(len(name)) + name + (_EXISTS if found is not None else b"")
