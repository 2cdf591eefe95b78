"""RPCs that answer a question about history with one value (commit.md 3.2)."""

from __future__ import annotations

from grpc import StatusCode

from gitaly_py.git.commands import Command, Flag
from gitaly_py.git.errors import InvalidPosition
from gitaly_py.pb.commit_pb2 import (
    CommitIsAncestorRequest,
    CommitIsAncestorResponse,
    CountCommitsRequest,
    CountCommitsResponse,
    CountDivergingCommitsRequest,
    CountDivergingCommitsResponse,
)
from gitaly_py.rpc.checks import FieldCheck, early, some
from gitaly_py.rpc.status import InvalidArgument
from gitaly_py.services.app import Call
from gitaly_py.services.checks import revision_test
from gitaly_py.services.commit.revisions import revision_input
from gitaly_py.services.commit.service import service
from gitaly_py.services.commit.walks import common_flags, rev_list, validate_revisions

_validate_revision = revision_test(allow_empty=True)


def _check_counted(request: CountCommitsRequest) -> None:
    if request.revisions:
        validate_revisions(request.revisions)
        return
    _validate_revision(request.revision)
    if not request.revision and not request.all:
        raise InvalidArgument("empty Revision and false All")


@service.rpc(FieldCheck(None, _check_counted))
async def count_commits(call: Call, request: CountCommitsRequest) -> CountCommitsResponse:
    """How many commits a walk meets; 0 when git cannot walk."""
    git = call.app.git
    single = b"--all" if request.all else request.revision
    walked = revision_input(request.revisions or [single], git.version_tuple)
    flags: list[Flag] = ["--count", *common_flags(request)]
    if request.max_count:
        flags.append(f"--max-count={request.max_count}")
    paths = [request.path] if request.path else []
    command = rev_list(walked, flags, paths, request.global_options)
    counted = await git.run(call.repository.git, command, stdin=walked.stdin)
    return CountCommitsResponse(count=int(counted.stdout) if counted.status == 0 else 0)


@service.rpc(
    some("ancestor_id", otherwise="empty ancestor sha"),
    some("child_id", otherwise="empty child sha"),
)
async def commit_is_ancestor(call: Call, request: CommitIsAncestorRequest) -> CommitIsAncestorResponse:
    """Whether one commit is reachable from another; what is no commit is reachable from nothing."""
    command = Command(
        name="merge-base", flags=["--is-ancestor"], args=[request.ancestor_id, request.child_id]
    )
    compared = await call.app.git.run(call.repository.git, command)
    return CommitIsAncestorResponse(value=compared.status == 0)


def _check_ends(request: CountDivergingCommitsRequest) -> None:
    if not getattr(request, "from") or not request.to:
        raise InvalidArgument("from and to are both required")


@service.rpc(
    early(FieldCheck(None, _check_ends)),
    codes={InvalidPosition: StatusCode.INVALID_ARGUMENT},
)
async def count_diverging_commits(
    call: Call, request: CountDivergingCommitsRequest
) -> CountDivergingCommitsResponse:
    """How many commits are reachable from one revision only, for each of two."""
    source: bytes = getattr(request, "from")
    if source.startswith(b"-"):
        # Behind its dash, even one that git's own pseudo-revisions begin with would be an option.
        raise InvalidArgument("validating positional argument: revision can't start with '-'")
    flags = ["--count", "--left-right"]
    if request.max_count:
        flags.append(f"--max-count={request.max_count}")
    command = Command(name="rev-list", flags=flags, args=[source + b"..." + request.to], paths=[])
    counted = (await call.app.git.run(call.repository.git, command)).check()
    left, right = counted.stdout.split()
    return CountDivergingCommitsResponse(left_count=int(left), right_count=int(right))
