"""LastCommitForPath and ListLastCommitsForTree (commit.md 3.2, 3.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing

from gitaly_py.git.commands import Command
from gitaly_py.git.errors import CommandFailed
from gitaly_py.git.reading.errors import ObjectNotFound
from gitaly_py.git.reading.interface import Reader
from gitaly_py.git.wire.mailmap import Mailmap
from gitaly_py.pb.commit_pb2 import (
    LastCommitForPathRequest,
    LastCommitForPathResponse,
    ListLastCommitsForTreeRequest,
    ListLastCommitsForTreeResponse,
)
from gitaly_py.pb.shared_pb2 import GitCommit
from gitaly_py.rpc.checks import FieldCheck, not_negative
from gitaly_py.rpc.status import InvalidArgument, during
from gitaly_py.services.app import Call
from gitaly_py.services.checks import revision, revision_test
from gitaly_py.services.commit.last_changes import last_changes
from gitaly_py.services.commit.listed_paths import ROOT, listed_paths
from gitaly_py.services.commit.paths import escapes, is_absolute
from gitaly_py.services.commit.service import service
from gitaly_py.services.messages import git_commit, mailmap_of

_IN_A_MESSAGE = 10
_BAD_REVISION = b"fatal: bad revision "

_validate = revision_test()


def _check_path(path: bytes) -> None:
    if path in ROOT:
        return
    if is_absolute(path):
        raise InvalidArgument("path is an absolute path")
    if escapes(path):
        raise InvalidArgument("path escapes repository")


@service.rpc(revision("revision"), FieldCheck("path", _check_path))
async def last_commit_for_path(call: Call, request: LastCommitForPathRequest) -> LastCommitForPathResponse:
    """The last commit that changed a path; none for a path or a name that is not there."""
    literal = request.literal_pathspec or request.global_options.literal_pathspecs
    command = Command(
        name="log",
        flags=["--format=%H", "--max-count=1"],
        args=[request.revision],
        paths=[b"." if request.path in ROOT else request.path],
        global_flags=["--literal-pathspecs"] if literal else [],
    )
    with during("logging last commit for path"):
        logged = await call.app.git.run(call.repository.git, command)
        oid = logged.stdout.strip()
        if logged.status != 0 and not logged.stderr.startswith(_BAD_REVISION):
            logged.check()
    if not oid:
        return LastCommitForPathResponse()
    reader = call.repository.reader(steady=True)
    return LastCommitForPathResponse(commit=await _commit(reader, oid, await mailmap_of(call, reader)))


@service.rpc(
    FieldCheck("revision", lambda name: _validate(name.encode())),
    not_negative("offset", otherwise="offset negative"),
    not_negative("limit", otherwise="limit negative"),
)
async def list_last_commits_for_tree(
    call: Call, request: ListLastCommitsForTreeRequest
) -> AsyncIterator[ListLastCommitsForTreeResponse]:
    """The last commit of each entry of a folder, ten in a message, trees before blobs before submodules."""
    reader = call.repository.reader(steady=True)
    with during("listing last commits for tree"):
        start = await _start(reader, request.revision.encode())
        paths = await listed_paths(call, reader, request, start)
        if not paths:
            return
        messages = _Messages(reader, await mailmap_of(call, reader), paths)
        folder, _, _ = paths[0].rpartition(b"/")
        changes = last_changes(call.app.git, call.repository.git, start, folder, paths)
        async with aclosing(changes) as found:
            async for commit, changed in found:
                messages.know(commit, changed)
                while message := await messages.next():
                    yield message


async def _start(reader: Reader, name: bytes) -> str:
    info = await reader.info(name + b"^{commit}")
    if info is None:
        # What git says of such a revision.
        raise CommandFailed("log", 128)
    return info.oid


class _Messages:
    """Puts what is found together into messages, in the order of `paths`."""

    def __init__(self, reader: Reader, mailmap: Mailmap, paths: Sequence[bytes]) -> None:
        self._reader = reader
        self._mailmap = mailmap
        self._paths = paths
        self._commits: dict[bytes, bytes] = {}
        self._read: dict[bytes, GitCommit] = {}
        self._sent = 0

    def know(self, commit: bytes, paths: Iterable[bytes]) -> None:
        """The id of the commit that these paths belong to."""
        self._commits.update(dict.fromkeys(paths, commit))

    async def next(self) -> ListLastCommitsForTreeResponse | None:
        """The next message, if all of it is known; None also when there is nothing more to send."""
        paths = self._paths[self._sent : self._sent + _IN_A_MESSAGE]
        if not paths or not all(path in self._commits for path in paths):
            return None
        self._sent += len(paths)
        items = [
            ListLastCommitsForTreeResponse.CommitForTree(
                path_bytes=path, commit=await self._commit(self._commits[path])
            )
            for path in paths
        ]
        return ListLastCommitsForTreeResponse(commits=items)

    async def _commit(self, oid: bytes) -> GitCommit:
        if oid not in self._read:
            self._read[oid] = await _commit(self._reader, oid, self._mailmap)
        return self._read[oid]


async def _commit(reader: Reader, oid: bytes, mailmap: Mailmap) -> GitCommit:
    commit = await reader.read(oid)
    if commit is None:
        raise ObjectNotFound(oid.decode())
    return git_commit(commit, mailmap)
