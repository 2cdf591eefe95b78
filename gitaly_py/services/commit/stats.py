"""CommitStats (commit.md 3.2)."""

from __future__ import annotations

from gitaly_py.git.commands import Command
from gitaly_py.git.process import Stderr
from gitaly_py.git.reading.errors import ObjectNotFound
from gitaly_py.git.wire.commits import parse_commit
from gitaly_py.git.wire.linecounts import Totals
from gitaly_py.pb.commit_pb2 import CommitStatsRequest, CommitStatsResponse
from gitaly_py.services.app import Call
from gitaly_py.services.attributes import head_attributes
from gitaly_py.services.checks import revision
from gitaly_py.services.commit.service import service


@service.rpc(revision("revision"))
async def commit_stats(call: Call, request: CommitStatsRequest) -> CommitStatsResponse:
    """Files and lines that a commit changed, compared with its first parent or with nothing."""
    reader = call.repository.reader(steady=True)
    commit = await reader.read(request.revision + b"^{commit}")
    if commit is None:
        raise ObjectNotFound(request.revision.decode("utf-8", "replace"))
    # git finds the parent, since a graft may give the commit another one.
    before = f"{commit.oid}^" if parse_commit(commit.data).parent_ids else reader.format.empty_tree
    command = Command(name="diff", flags=["--numstat"], args=[before, commit.oid])
    totals = Totals()
    git, place = call.app.git, call.repository.git
    async with (
        head_attributes(call) as attributes,
        git.start(place, command, config=attributes, stderr=Stderr.KEEP) as process,
    ):
        async for lines in process.batches(b"\n"):
            totals.add(lines)
        await process.check()
    return CommitStatsResponse(
        oid=commit.oid, files=totals.files, additions=totals.additions, deletions=totals.deletions
    )
