"""ObjectsSize: what objects take on disk (repository.md)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from gitaly_py.git.commands import Command
from gitaly_py.pb.repository_pb2 import ObjectsSizeRequest, ObjectsSizeResponse
from gitaly_py.rpc.status import Internal, InvalidArgument, NotFound
from gitaly_py.services.app import Call
from gitaly_py.services.checks import revision_test
from gitaly_py.services.commit.revisions import revision_input
from gitaly_py.services.repository.service import service

_validate = revision_test(prefix="validating revision: ", pseudo=True)

_PORTION = 1024
"""Revisions that are looked at before other calls get the event loop: less than 2 ms."""


@service.rpc()
async def objects_size(call: Call, requests: AsyncIterator[ObjectsSizeRequest]) -> ObjectsSizeResponse:
    """Bytes on disk of all objects that are reachable from the revisions of all messages, each once."""
    revisions = await _revisions(requests)
    walked = revision_input(revisions, call.app.git.version_tuple)
    command = Command(
        name="rev-list", flags=["--disk-usage", "--objects", "--stdin"], args=walked.arguments, paths=()
    )
    found = await call.app.git.run(call.repository.git, command, stdin=walked.stdin)
    if found.stderr.startswith(b"fatal: bad revision"):
        raise NotFound("revision not found")
    if found.status != 0:
        raise Internal(f"rev-list failed with error code {found.status}")
    return ObjectsSizeResponse(size=int(found.stdout))


async def _revisions(requests: AsyncIterator[ObjectsSizeRequest]) -> list[bytes]:
    """The revisions of all messages. Raises InvalidArgument as soon as one is wrong."""
    revisions: list[bytes] = []
    first = True
    async for request in requests:
        if not first and request.HasField("repository"):
            raise InvalidArgument("subsequent requests must not contain repository")
        first = False
        if not request.revisions:
            raise InvalidArgument("no revisions specified")
        for number, revision in enumerate(request.revisions, 1):
            _validate(revision)
            if number % _PORTION == 0:
                await asyncio.sleep(0)
        revisions += request.revisions
    return revisions
