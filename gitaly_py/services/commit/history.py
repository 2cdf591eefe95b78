"""FindAllCommits and CommitsByMessage: what `git log` lists, or nothing when it fails (commit.md 3.2)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import structlog

from gitaly_py.git.commands import Command, Flag
from gitaly_py.git.process import Stderr
from gitaly_py.git.reading.branches import has_local_branches
from gitaly_py.pb.commit_pb2 import CommitsByMessageRequest, FindAllCommitsRequest
from gitaly_py.pb.shared_pb2 import GlobalOptions
from gitaly_py.rpc.checks import some
from gitaly_py.services.app import Call
from gitaly_py.services.checks import revision
from gitaly_py.services.commit.reading import encoded_commits
from gitaly_py.services.commit.service import service
from gitaly_py.services.commit.walks import log, starting_revision

_log = structlog.get_logger("gitaly")

_ORDERS: dict[int, list[Flag]] = {
    FindAllCommitsRequest.TOPO: ["--topo-order"],
    FindAllCommitsRequest.DATE: ["--date-order"],
}


@service.rpc(revision("revision", allow_empty=True))
async def find_all_commits(call: Call, request: FindAllCommitsRequest) -> AsyncIterator[list[bytes]]:
    """The history of a revision or of all branches; of HEAD, where there is no branch."""
    flags = ["--format=%H", *_ORDERS.get(request.order, ()), *_page(request.skip, request.max_count)]
    if not request.revision and await has_local_branches(call.repository.reader()):
        flags.append("--branches")
    starts = [request.revision] if request.revision else []
    async with aclosing(_history(call, log(flags, starts, (), GlobalOptions()))) as batches:
        async for batch in batches:
            yield batch


@service.rpc(revision("revision", allow_empty=True), some("query", otherwise="empty Query"))
async def commits_by_message(call: Call, request: CommitsByMessageRequest) -> AsyncIterator[list[bytes]]:
    """The commits whose message has a line that the regular expression matches."""
    start = request.revision or await starting_revision(call)
    if start is None:
        return
    flags: list[Flag] = ["--format=%H", "--grep=" + request.query, "--regexp-ignore-case"]
    flags += _page(request.offset, request.limit)
    paths = [request.path] if request.path else []
    async with aclosing(_history(call, log(flags, [start], paths, request.global_options))) as batches:
        async for batch in batches:
            yield batch


def _page(skip: int, most: int) -> list[Flag]:
    flags: list[Flag] = []
    if most > 0:
        flags.append(f"--max-count={most}")
    if skip > 0:
        flags.append(f"--skip={skip}")
    return flags


def _history(call: Call, command: Command) -> AsyncGenerator[list[bytes]]:
    return encoded_commits(call, _ids(call, command))


async def _ids(call: Call, command: Command) -> AsyncGenerator[list[bytes]]:
    async with call.app.git.start(call.repository.git, command, stderr=Stderr.KEEP) as process:
        async for ids in process.batches(b"\n"):
            yield ids
        status = await process.wait()
    if status != 0:
        # Mostly a revision that does not exist, which has no history.
        _log.info("ignoring git-log error", status=status, stderr=process.stderr.decode("utf-8", "replace"))
