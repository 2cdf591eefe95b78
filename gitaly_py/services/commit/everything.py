"""ListAllCommits: the commits of the object database, reachable or not (commit.md 3.2)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from gitaly_py.git.commands import Command
from gitaly_py.git.process import Stderr
from gitaly_py.pb.commit_pb2 import ListAllCommitsRequest
from gitaly_py.rpc.status import during
from gitaly_py.services.app import Call
from gitaly_py.services.commit.listing import Page
from gitaly_py.services.commit.reading import encoded_commits
from gitaly_py.services.commit.service import service

_COMMIT = b" commit"


@service.rpc()
async def list_all_commits(call: Call, request: ListAllCommitsRequest) -> AsyncIterator[list[bytes]]:
    """All commits, or one page of them, in the order of their ids."""
    page = Page(request.pagination_params)
    async with aclosing(encoded_commits(call, _all(call, page))) as batches:
        async for batch in batches:
            yield batch


async def _all(call: Call, page: Page) -> AsyncGenerator[list[bytes]]:
    """The ids of the page. Without `--unordered` git sorts them, so pages stay right after a repack."""
    flags = ["--batch-check=%(objectname) %(objecttype)", "--batch-all-objects", "--buffer"]
    command = Command(name="cat-file", flags=flags)
    async with call.app.git.start(call.repository.git, command, stderr=Stderr.KEEP) as process:
        async for lines in process.batches(b"\n"):
            yield page.cut([line.removesuffix(_COMMIT) for line in lines if line.endswith(_COMMIT)])
            if page.next_cursor:
                return
        with during("iterating objects: cat-file pipeline command"):
            await process.check()
