"""CheckObjectsExist (commit.md 3.3)."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

from gitaly_py.pb.commit_pb2 import CheckObjectsExistRequest, CheckObjectsExistResponse
from gitaly_py.rpc.packer import field_prefixes
from gitaly_py.services.app import Call
from gitaly_py.services.checks import revision_test
from gitaly_py.services.commit.service import service

_validate = revision_test(prefix="invalid revision: ", paths=True)

_name = field_prefixes(CheckObjectsExistResponse.RevisionExistence.NAME_FIELD_NUMBER)
_EXISTS = CheckObjectsExistResponse.RevisionExistence(exists=True).SerializeToString()


@service.rpc(no_request="EOF")
async def check_objects_exist(
    call: Call, requests: AsyncIterator[CheckObjectsExistRequest]
) -> AsyncIterator[list[bytes]]:
    """Whether each revision names an object that is there, in order over all requests."""
    names: deque[bytes] = deque()
    reader = call.repository.reader()
    async with (
        aclosing(_validated(requests, names)) as revisions,
        aclosing(reader.info_batches(revisions)) as batches,
    ):
        async for batch in batches:
            yield [_answer(names.popleft(), exists=info is not None) for info in batch]


async def _validated(
    requests: AsyncIterator[CheckObjectsExistRequest], names: deque[bytes]
) -> AsyncGenerator[Sequence[bytes]]:
    """The revisions of each request, after checks of all of them; noted in `names`."""
    async for request in requests:
        for revision in request.revisions:
            _validate(revision)
        names.extend(request.revisions)
        yield request.revisions


def _answer(name: bytes, *, exists: bool) -> bytes:
    """An encoded RevisionExistence."""
    return _name(len(name)) + name + (_EXISTS if exists else b"")
