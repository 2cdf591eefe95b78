"""FindChangedPaths: one `git diff-tree` for any number of commits and trees (diff-conflicts.md 6)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from grpc import StatusCode

from gitaly_py.git.commands import Command
from gitaly_py.git.errors import CommandFailed
from gitaly_py.git.process import Stderr
from gitaly_py.pb.diff_pb2 import FindChangedPathsRequest
from gitaly_py.rpc.checks import FieldCheck
from gitaly_py.rpc.packer import Encoded
from gitaly_py.rpc.status import during
from gitaly_py.services.app import Call
from gitaly_py.services.diff.changed_path_records import Encoder
from gitaly_py.services.diff.changed_path_requests import (
    check_form,
    flags,
    only_commits,
    requests_of,
)
from gitaly_py.services.diff.changed_path_revisions import comparisons
from gitaly_py.services.diff.service import service


@service.rpc(FieldCheck(None, check_form), codes={CommandFailed: StatusCode.FAILED_PRECONDITION})
async def find_changed_paths(call: Call, request: FindChangedPathsRequest) -> AsyncIterator[Encoded]:
    """The paths that differ, in the order of the comparisons asked for."""
    requests = requests_of(request)
    reader = call.repository.reader()
    lines = await comparisons(call.app.git, reader, requests)
    with_commits = only_commits(requests)
    command = Command(name="diff-tree", flags=flags(request, with_commits=with_commits))
    if not requests:
        return
    encoder = Encoder(reader.format, with_commits=with_commits)
    async with call.app.git.start(call.repository.git, command, stdin=lines, stderr=Stderr.KEEP) as process:
        async for fields in process.batches(b"\0"):
            with during("parsing err"):
                for piece in encoder.encoded(fields):
                    yield piece
        with during("cmd wait err"):
            await process.check()
    with during("parsing err"):
        encoder.end()
