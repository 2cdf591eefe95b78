"""Reference transactions: one `git update-ref` each, all or nothing (repository.md A9, ref-blob.md 5.9).

Until `commit` returns nothing has changed; when it raises nothing has either. A block that is left
without `commit` aborts. After a crash in `commit` each reference has its old or its new value.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from gitaly_py.git.commands import Command, Hooks
from gitaly_py.git.format import object_format
from gitaly_py.git.process import PIPE, Git, Process, Stderr
from gitaly_py.git.repository import GitRepository
from gitaly_py.git.updating.errors import InvalidReferenceFormat, MalformedDefaultBranch
from gitaly_py.git.version import SYMREF_UPDATE
from gitaly_py.git.wire import updateref
from gitaly_py.git.wire.refnames import is_reference_name

_BUFFER_SIZE = 64 * 1024


class Previous(enum.Enum):
    """What an update expects to find, where it does not expect a certain object."""

    ANY = "any"
    MUST_NOT_EXIST = "must not exist"


@dataclass(frozen=True, slots=True)
class MustBe:
    """The reference must exist and have exactly this value."""

    oid: str


Expected = Previous | MustBe
ANY: Final = Previous.ANY
MUST_NOT_EXIST: Final = Previous.MUST_NOT_EXIST


class Transaction:
    """Updates that are given to git while they come in; made by `transaction`.

    Every method raises the UpdateError that git has answered with, which may be an earlier update's;
    the transaction is over then.
    """

    def __init__(self, process: Process, zero_oid: str) -> None:
        self._process = process
        self._zero_oid = zero_oid
        self._buffer = bytearray(updateref.START)
        self._expected = [b"start: ok\n"]
        self._over = False

    async def update(self, refname: bytes, oid: str, previous: Expected = ANY) -> None:
        """Creates or moves `refname`, which lies under `refs/`."""
        # Git would write any other name as a file beside HEAD and config.
        if not refname.startswith(b"refs/"):
            raise InvalidReferenceFormat(refname)
        await self._add(updateref.update(refname, oid, self._old(previous)))

    async def delete(self, refname: bytes, previous: Expected = ANY) -> None:
        """Deletes `refname`; one that does not exist is no error, unless `previous` names a value."""
        if refname == b"HEAD":  # without it the repository is none
            raise InvalidReferenceFormat(refname)
        await self._add(updateref.update(refname, self._zero_oid, self._old(previous)))

    async def verify(self, refname: bytes, previous: Expected) -> None:
        """Checks `refname` when the transaction is prepared, without changing it."""
        await self._add(updateref.verify(refname, self._old(previous)))

    async def set_symbolic(self, refname: bytes, target: bytes) -> None:
        """Makes `refname` point at another reference (git 2.46)."""
        await self._add(updateref.symref_update(refname, target))

    async def prepare(self) -> None:
        """Locks all references and checks what they should be; runs the reference-transaction hook."""
        await self._order(updateref.PREPARE, b"prepare: ok\n")

    async def commit(self) -> None:
        """Publishes all updates, preparing them before if that was not done."""
        await self._order(updateref.COMMIT, b"commit: ok\n")
        await self._end()

    async def abort(self) -> None:
        """Gives everything up; nothing has changed."""
        await self._order(updateref.ABORT, b"abort: ok\n")
        await self._end()

    @property
    def over(self) -> bool:
        """Whether it was committed, aborted or has failed."""
        return self._over

    def _old(self, previous: Expected) -> str:
        if isinstance(previous, MustBe):
            return previous.oid
        return self._zero_oid if previous is MUST_NOT_EXIST else ""

    async def _add(self, command: bytes) -> None:
        self._buffer += command
        if len(self._buffer) >= _BUFFER_SIZE:
            await self._flush()

    async def _order(self, command: bytes, answer: bytes) -> None:
        self._buffer += command
        self._expected.append(answer)
        await self._flush()
        while self._expected:
            if await self._process.read_until(b"\n") != self._expected.pop(0):
                await self._fail()

    async def _flush(self) -> None:
        data, self._buffer = self._buffer, bytearray()
        if self._process.stdin is None:
            raise ValueError("a transaction is written to")
        try:
            await self._process.stdin.write(data)
        except BrokenPipeError:
            await self._fail()

    async def _end(self) -> None:
        self._over = True
        if await self._process.wait() != 0:
            await self._fail()

    async def _fail(self) -> None:
        self._over = True
        status = await self._process.wait()
        raise updateref.failure(status, self._process.stderr)


@asynccontextmanager
async def transaction(
    git: Git,
    repository: GitRepository,
    *,
    hooks: str | Hooks,
    no_deref: bool = False,
    env: Mapping[str, str] | None = None,
) -> AsyncIterator[Transaction]:
    """A transaction that is aborted at the end of the block unless it was committed.

    hooks: folder with the reference-transaction hook, or DISABLED. no_deref: symbolic references are
    updated themselves, instead of what they point at. env: variables the hook needs.
    """
    flags = ["--no-deref"] if no_deref else []
    command = Command(name="update-ref", flags=[*flags, "-z", "--stdin"], hooks=hooks)
    zero_oid = object_format(repository.path).zero_oid
    async with git.start(repository, command, stdin=PIPE, stderr=Stderr.KEEP, env=env or {}) as process:
        opened = Transaction(process, zero_oid)
        yield opened
        if not opened.over:
            await opened.abort()


async def set_default_branch(
    git: Git, repository: GitRepository, target: bytes, *, hooks: str | Hooks
) -> None:
    """Points HEAD at `target`, which need not exist (repository.md A7).

    Raises MalformedDefaultBranch, ReferenceLocked for a held HEAD.lock, UpdateFailed.
    """
    if not is_reference_name(target):
        raise MalformedDefaultBranch(target)
    if git.version_tuple >= SYMREF_UPDATE:
        async with transaction(git, repository, hooks=hooks, no_deref=True) as opened:
            await opened.set_symbolic(b"HEAD", target)
            await opened.commit()
        return
    command = Command(name="symbolic-ref", args=[b"HEAD", target], hooks=hooks)
    done = await git.run(repository, command)
    if done.status != 0:
        raise updateref.failure(done.status, done.stderr)
