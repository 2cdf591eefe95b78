"""The `git diff` of an RPC (diff-conflicts.md 0.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

from gitaly_py.git.commands import Argument, Command, Config, Flag
from gitaly_py.git.process import Process, Stderr
from gitaly_py.git.repository import GitRepository
from gitaly_py.pb.diff_pb2 import CommitDiffRequest, DiffBlobsRequest
from gitaly_py.rpc.status import during
from gitaly_py.services.app import Call
from gitaly_py.services.attributes import head_attributes

CONFIG: Config = (
    # What a repository configures must not change what is parsed.
    ("diff.noprefix", "false"),
    ("diff.suppressBlankEmpty", "false"),
    ("core.quotePath", "true"),
)
"""Configuration of a diff that is parsed."""

TEXTUAL: Sequence[Flag] = (
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--submodule=short",
)
"""Options of a diff that is read by people or parsed."""

_WHITESPACE: dict[int, list[Flag]] = {
    CommitDiffRequest.WHITESPACE_CHANGES_IGNORE: ["--ignore-space-change"],
    CommitDiffRequest.WHITESPACE_CHANGES_IGNORE_ALL: ["--ignore-all-space"],
}
_WORDS: list[Flag] = ["--word-diff=porcelain"]


def diff(flags: Iterable[Flag], left: Argument, right: Argument, paths: Iterable[bytes] = ()) -> Command:
    """A diff of two revisions that shows its output, whatever the repository configures.

    paths: pathspecs, none for all. The `--` before them is never left out: without it git would take what is
    no revision for a file of the machine, and show that.
    """
    return Command(name="diff", flags=[*flags, *TEXTUAL], args=[left, right], paths=list(paths))


def mode_flags(request: CommitDiffRequest | DiffBlobsRequest) -> list[Flag]:
    """The options for how lines are compared and shown; both requests number their choices alike."""
    words = _WORDS if request.diff_mode == CommitDiffRequest.WORDDIFF else []
    return [*words, *_WHITESPACE.get(request.whitespace_changes, ())]


@asynccontextmanager
async def running(
    call: Call, command: Command, config: Config = (), *, repository: GitRepository | None = None
) -> AsyncIterator[Process]:
    """git with the attributes of HEAD.

    repository: the call's own unless it is seen with further objects. Raises InvalidCommand with the API's
    prefix before anything is started.
    """
    git, place = call.app.git, repository or call.repository.git
    with during("cmd"):
        git.check(command)
    async with (
        head_attributes(call) as attributes,
        git.start(place, command, config=[*config, *attributes], stderr=Stderr.KEEP) as process,
    ):
        yield process
