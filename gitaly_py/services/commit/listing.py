"""ListCommits: one `git rev-list` whose ids are read as they come (commit.md 3.2)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from gitaly_py.git.commands import Flag
from gitaly_py.git.process import Stderr
from gitaly_py.pb.commit_pb2 import ListCommitsRequest
from gitaly_py.pb.shared_pb2 import PaginationCursor, PaginationParameter
from gitaly_py.rpc.checks import some
from gitaly_py.rpc.packer import Last
from gitaly_py.services.app import Call
from gitaly_py.services.commit.reading import encoded_commits
from gitaly_py.services.commit.revisions import revision_input
from gitaly_py.services.commit.service import service
from gitaly_py.services.commit.walks import check_walk, common_flags, rev_list, revisions

_ORDERS: dict[int, list[Flag]] = {
    ListCommitsRequest.TOPO: ["--topo-order"],
    ListCommitsRequest.DATE: ["--date-order"],
}


class Page:
    """Cuts one page out of the ids of a walk.

    next_cursor: once the page is over, the last id of a page that more would follow, else empty.
    """

    def __init__(self, parameters: PaginationParameter) -> None:
        self.limit = max(0, parameters.limit)
        self.token = parameters.page_token.encode()
        self.next_cursor = ""
        self._begun = not self.token
        self._left = self.limit
        self._last = b""

    def cut(self, ids: list[bytes]) -> list[bytes]:
        """Those of the next `ids` that belong to the page."""
        if not self._begun:
            if self.token not in ids:
                return []
            self._begun = True
            ids = ids[ids.index(self.token) + 1 :]
        if self.limit:
            if len(ids) > self._left:
                ids = ids[: self._left]
                self.next_cursor = (ids[-1] if ids else self._last).decode()
            self._left -= len(ids)
        self._last = ids[-1] if ids else self._last
        return ids


@service.rpc(some("revisions", otherwise="missing revisions"), revisions("revisions"))
async def list_commits(call: Call, request: ListCommitsRequest) -> AsyncIterator[list[bytes] | Last]:
    """The commits of a walk, or one page of them."""
    page = Page(request.pagination_params)
    async with aclosing(encoded_commits(call, _walk(call, request, page))) as batches:
        async for batch in batches:
            yield batch
    if page.next_cursor:
        yield Last(pagination_cursor=PaginationCursor(next_cursor=page.next_cursor))


async def _walk(call: Call, request: ListCommitsRequest, page: Page) -> AsyncGenerator[list[bytes], None]:
    """The ids of the page, as they come. git ends as soon as the page is over."""
    git = call.app.git
    walked = revision_input([revision.encode() for revision in request.revisions], git.version_tuple)
    command = rev_list(walked, _flags(request, page), request.paths, request.global_options)
    async with git.start(call.repository.git, command, stdin=walked.stdin, stderr=Stderr.KEEP) as process:
        async for ids in process.batches(b"\n"):
            yield page.cut(ids)
            if page.next_cursor:
                return
        await check_walk("iterating objects", process)


def _flags(request: ListCommitsRequest, page: Page) -> list[Flag]:
    flags = [*_ORDERS.get(request.order, ()), *common_flags(request)]
    if request.reverse:
        flags.append("--reverse")
    elif page.limit and not page.token:
        # One more than the page holds, to see whether it is the last one.
        flags.append(f"--max-count={page.limit + 1}")
    if request.max_parents:
        flags.append(f"--max-parents={request.max_parents}")
    if request.disable_walk:
        flags.append("--no-walk")
    if request.author:
        flags.append(b"--author=" + request.author)
    if request.ignore_case:
        flags.append("--regexp-ignore-case")
    flags += [b"--grep=" + pattern for pattern in request.commit_message_patterns]
    if request.skip:
        flags.append(f"--skip={request.skip}")
    return flags
