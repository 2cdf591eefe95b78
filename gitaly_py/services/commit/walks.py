"""Walks over history: the `git rev-list` or `git log` behind an RPC (commit.md 3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gitaly_py.git.commands import Command, Flag
from gitaly_py.git.errors import describe_status
from gitaly_py.git.process import Process
from gitaly_py.git.reading.branches import default_branch
from gitaly_py.git.wire.goquote import quote
from gitaly_py.pb.commit_pb2 import CountCommitsRequest, FindCommitsRequest, ListCommitsRequest
from gitaly_py.pb.shared_pb2 import GlobalOptions
from gitaly_py.rpc.checks import FieldCheck
from gitaly_py.rpc.status import Internal, during
from gitaly_py.services.app import Call
from gitaly_py.services.checks import revision_test
from gitaly_py.services.commit.revisions import RevisionInput

_validate = revision_test(prefix="invalid revision: ", pseudo=True)


def validate_revisions(revisions: Iterable[str | bytes]) -> None:
    """Raises InvalidArgument for the first that is neither a revision nor a pseudo-revision."""
    for revision in revisions:
        _validate(revision.encode() if isinstance(revision, str) else revision)


def revisions(field: str) -> FieldCheck:
    """The field holds revisions and pseudo-revisions."""
    return FieldCheck(field, validate_revisions)


def rev_list(
    walked: RevisionInput, flags: Sequence[Flag], paths: Iterable[bytes], options: GlobalOptions
) -> Command:
    """The command that walks from `walked`, whose stdin goes to the process.

    paths: pathspecs that limit the walk, none for all of it.
    """
    return Command(
        name="rev-list",
        flags=["--stdin", *flags],
        args=walked.arguments,
        paths=list(paths),
        global_flags=literal_pathspecs(options),
    )


async def check_walk(doing: str, process: Process) -> None:
    """Waits for a `git rev-list`. Raises Internal unless it ended well. doing: what it was walking for."""
    status = await process.wait()
    if status != 0:
        raise Internal(
            f"{doing}: rev-list pipeline command: {describe_status(status)}, stderr: {quote(process.stderr)}"
        )


def literal_pathspecs(options: GlobalOptions) -> list[str]:
    """git's own options (before the sub-command) that a request asks for."""
    return ["--literal-pathspecs"] if options.literal_pathspecs else []


def log(
    flags: Sequence[Flag], revisions: Iterable[bytes], paths: Iterable[bytes], options: GlobalOptions
) -> Command:
    """The `git log` that walks from `revisions`; `paths` as of `rev_list`."""
    return Command(
        name="log",
        flags=flags,
        args=list(revisions),
        paths=list(paths),
        global_flags=literal_pathspecs(options),
    )


def common_flags(request: ListCommitsRequest | CountCommitsRequest | FindCommitsRequest) -> list[Flag]:
    """The limits that walks have in common: first parents, and whole seconds, both ends included."""
    flags: list[Flag] = []
    if request.first_parent:
        flags.append("--first-parent")
    # No commit is older than the epoch, and git takes a negative number for a very large one.
    if request.HasField("after"):
        flags.append(f"--max-age={max(0, request.after.seconds)}")
    if request.HasField("before"):
        flags.append(f"--min-age={max(0, request.before.seconds)}")
    return flags


async def starting_revision(call: Call) -> bytes | None:
    """Where a walk starts whose request names no revision: the default branch, None without any branch.

    Raises HeadDetached, HeadUnreadable.
    """
    with during("defaultBranchName"):
        return await default_branch(call.repository.reader())
