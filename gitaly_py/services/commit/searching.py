"""FindCommits: one `git log` with nearly all of its options (commit.md 3.2)."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext

from gitaly_py.git.commands import Config, Flag
from gitaly_py.git.errors import CommandFailed
from gitaly_py.git.process import Process, Stderr
from gitaly_py.git.wire.log import SEPARATOR, LogRecord, parse_record, record_format
from gitaly_py.pb.commit_pb2 import FindCommitsError, FindCommitsRequest
from gitaly_py.pb.shared_pb2 import CommitStatInfo, CommitTrailer, GitCommit
from gitaly_py.rpc.status import Internal, InvalidArgument, NotFound
from gitaly_py.services.app import Call
from gitaly_py.services.attributes import head_attributes
from gitaly_py.services.checks import revision
from gitaly_py.services.commit.reading import encoded_commits
from gitaly_py.services.commit.service import service
from gitaly_py.services.commit.walks import common_flags, log, starting_revision

_MOST = 2**31 - 1
"""The largest number that git takes for a count."""

_BATCH = 256
"""Records parsed in a row."""

_NOT_FOUND = re.compile(
    rb"ambiguous argument|bad object [0-9a-f]+|bad revision"
    rb"|Invalid revision range [0-9a-f]+\.\.[0-9a-f]+"
)


@service.rpc(revision("revision", allow_empty=True))
async def find_commits(call: Call, request: FindCommitsRequest) -> AsyncIterator[list[bytes]]:
    """The commits of a walk, with as much about each as is asked for."""
    start: bytes | None = request.revision
    if not start and not request.all:
        start = await starting_revision(call)
    if not all(request.paths):
        raise InvalidArgument("path is empty string")
    if start is None:
        raise _not_found()
    details = _Details(request)
    async with aclosing(encoded_commits(call, _walk(call, request, start, details))) as batches:
        async for batch in batches:
            yield details.added_to(batch)


class _Details:
    """What the request wants of each commit beside the commit.

    flags: options that make git print it. separator: between what is printed of one commit and another.
    """

    def __init__(self, request: FindCommitsRequest) -> None:
        wanted = request.include_referenced_by
        self._any = bool(request.trailers or request.include_shortstat or wanted)
        self._records: deque[LogRecord] = deque()
        self.separator = SEPARATOR if self._any else b"\n"
        printed = record_format(trailers=request.trailers, references=bool(wanted)) if self._any else "%H"
        self.flags: list[Flag] = [f"--format={printed}"]
        if request.include_shortstat:
            self.flags.append("--shortstat")
        if wanted:
            self.flags += ["--decorate=full", *(b"--decorate-refs=" + pattern for pattern in wanted)]

    def ids(self, texts: list[bytes]) -> list[bytes]:
        """The ids in what was printed of commits; the rest is kept for `added_to`."""
        if not self._any:
            return texts
        records = list(map(parse_record, texts))
        self._records.extend(records)
        return [record.oid for record in records]

    def added_to(self, commits: list[bytes]) -> list[bytes]:
        """The next encoded commits, with their details."""
        return [commit + _encoded(self._records.popleft()) for commit in commits] if self._any else commits


def _encoded(record: LogRecord) -> bytes:
    details = GitCommit(
        trailers=[CommitTrailer(key=key, value=value) for key, value in record.trailers],
        referenced_by=record.references,
    )
    if record.stat is not None:
        details.short_stats.CopyFrom(
            CommitStatInfo(
                changed_files=record.stat.files,
                additions=record.stat.additions,
                deletions=record.stat.deletions,
            )
        )
    return details.SerializeToString()


async def _walk(
    call: Call, request: FindCommitsRequest, start: bytes, details: _Details
) -> AsyncGenerator[list[bytes]]:
    """The ids of the walk."""
    left_out = request.offset if _follows(request) else 0
    command = log(
        [*details.flags, *_flags(request)], [start] if start else [], request.paths, request.global_options
    )
    async with (
        _attributes(call, request) as config,
        call.app.git.start(call.repository.git, command, config=config, stderr=Stderr.KEEP) as process,
    ):
        async for texts in process.batches(details.separator):
            found = [text for text in texts if text]
            for begin in range(max(0, left_out), len(found), _BATCH):
                yield details.ids(found[begin : begin + _BATCH])
            left_out -= len(found)
        await _check(process)


def _attributes(call: Call, request: FindCommitsRequest) -> AbstractAsyncContextManager[Config]:
    return head_attributes(call) if request.include_shortstat else nullcontext(())


async def _check(process: Process) -> None:
    status = await process.wait()
    if status != 0:
        failure = CommandFailed(process.name, status, process.stderr)
        if _NOT_FOUND.search(process.stderr):
            raise _not_found() from failure
        raise Internal("listing commits failed") from failure


def _not_found() -> NotFound:
    return NotFound("commits not found", FindCommitsError())


def _follows(request: FindCommitsRequest) -> bool:
    return request.follow and bool(request.paths)


def _flags(request: FindCommitsRequest) -> list[Flag]:
    flags = [*_page(request), *common_flags(request)]
    if _follows(request):
        flags.append("--follow")
    if request.skip_merges:
        flags.append("--no-merges")
    if request.all:
        flags += ["--all", "--reverse"]
    if request.order == FindCommitsRequest.TOPO:
        flags.append("--topo-order")
    if request.author:
        flags.append(b"--author=" + request.author)
    if request.message_regex:
        flags += ["--grep=" + request.message_regex, "--regexp-ignore-case"]
    return flags


def _page(request: FindCommitsRequest) -> list[Flag]:
    offset = max(0, request.offset)
    if request.limit < 0:
        most = -1
    elif _follows(request):
        # git counts wrong when it skips and follows, so it lists what the walk leaves out.
        most = min(request.limit + offset, _MOST)
    else:
        most = request.limit
    skip = [f"--skip={offset}"] if offset and not _follows(request) else []
    return [f"--max-count={most}", *skip]
