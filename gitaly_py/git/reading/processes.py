"""Reading through git processes: everything libgit2 can't open, and every revision only git understands."""

from __future__ import annotations

from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Hashable,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import aclosing
from mmap import PAGESIZE
from typing import TypeVar

from gitaly_py.git.commands import Command
from gitaly_py.git.process import Git
from gitaly_py.git.reading.catfile import CatFile
from gitaly_py.git.reading.errors import AmbiguousRevision, ObjectNotFound, ObjectUnreadable
from gitaly_py.git.reading.interface import (
    GitObject,
    Head,
    Holders,
    ObjectInfo,
    Reference,
    ReferenceReader,
    References,
)
from gitaly_py.git.reading.pointing import references_to
from gitaly_py.git.reading.pool import CatFilePool
from gitaly_py.git.reading.revisions import check_revision, is_full_id
from gitaly_py.git.repository import GitRepository
from gitaly_py.git.wire import catfile
from gitaly_py.git.wire.objects import ObjectFormat

_PIECE = 128 << 10
"""Bytes of a piece of a large object."""

_REQUEST = len(catfile.contents(b""))
"""Bytes of a request beside its revision."""

_FLUSH = len(catfile.FLUSH + b"\0")

_WHOLE = 512 << 10
"""Bytes of the largest object that `content` gives in one piece."""

T = TypeVar("T")


class ProcessReader:
    """A Reader that asks git; see interface.py for what its methods promise."""

    def __init__(
        self,
        repository: GitRepository,
        object_format: ObjectFormat,
        references: ReferenceReader,
        pool: CatFilePool,
        identity: Hashable,
    ) -> None:
        """identity: tells the repository from one that was at the same path before."""
        self.repository = repository
        self.format = object_format
        self._references = references
        self._pool = pool
        self.identity = identity

    async def resolve(self, revision: bytes) -> str | None:
        """See Reader."""
        check_revision(revision)
        if is_full_id(revision, self.format):
            return revision.decode("ascii").lower()
        try:
            info = await self.info(revision)
        except AmbiguousRevision:
            return None
        except ObjectUnreadable:
            # Some revisions end a cat-file process; rev-parse only fails.
            return await self._verified(revision)
        if info is not None:
            return info.oid
        # cat-file finds only objects; what `rev:submodule` names is none of this repository.
        return await self._verified(revision) if b":" in revision else None

    async def info(self, revision: bytes) -> ObjectInfo | None:
        """See Reader."""
        check_revision(revision)
        async with self._pool.borrow(self.repository, self.identity) as process:
            if not process.can_ask(revision):
                return None
            await process.send(catfile.info, [revision])
            return await process.info(revision)

    async def read(self, revision: bytes) -> GitObject | None:
        """See Reader."""
        check_revision(revision)
        async with self._pool.borrow(self.repository, self.identity) as process:
            if not process.can_ask(revision):
                return None
            await process.send(catfile.contents, [revision])
            return await process.contents(revision)

    async def look(self, oid: str) -> GitObject | ObjectInfo | None:
        """See Reader."""
        return await self.info(oid.encode())

    def info_each(self, revisions: Iterable[bytes]) -> AsyncGenerator[ObjectInfo | None]:
        """See Reader."""
        return self._each(catfile.info, revisions, CatFile.info)

    def read_each(self, revisions: Iterable[bytes]) -> AsyncGenerator[GitObject | None]:
        """See Reader."""
        return self._each(catfile.contents, revisions, CatFile.contents)

    def info_batches(
        self, batches: AsyncIterator[Sequence[bytes]]
    ) -> AsyncGenerator[list[ObjectInfo | None]]:
        """See Reader."""
        return self._batches(catfile.info, batches, CatFile.infos)

    def read_batches(self, batches: AsyncIterator[Sequence[bytes]]) -> AsyncGenerator[list[GitObject | None]]:
        """See Reader."""
        return self._batches(catfile.contents, batches, CatFile.objects)

    async def content(self, oid: str, limit: int = -1) -> AsyncGenerator[bytes]:
        """See Reader."""
        info = await self.info(oid.encode())
        if info is None:
            raise ObjectNotFound(oid)
        if info.size > _WHOLE:
            async with aclosing(streamed(self._pool.git, self.repository, info, limit)) as pieces:
                async for piece in pieces:
                    yield piece
        elif limit != 0 and info.size:
            found = await self.read(oid.encode())
            if found is None:
                raise ObjectNotFound(oid)
            yield found.data if limit < 0 else found.data[:limit]

    async def reference(self, name: bytes) -> Reference | None:
        """See ReferenceReader."""
        return await self._references.reference(name)

    async def head(self) -> Head:
        """See ReferenceReader."""
        return await self._references.head()

    def references(
        self, prefix: bytes = b"refs/", *, after: bytes = b"", descending: bool = False
    ) -> AsyncGenerator[References]:
        """See ReferenceReader."""
        return self._references.references(prefix, after=after, descending=descending)

    async def holders(self, oid: str) -> Holders:
        """See ReferenceReader."""
        return await self._references.holders(oid)

    async def references_to(self, oid: str) -> list[Reference]:
        """See Reader."""
        return await references_to(self, oid)

    async def _each(
        self,
        request: Callable[[bytes], bytes],
        revisions: Iterable[bytes],
        take: Callable[[CatFile, bytes], Awaitable[T | None]],
    ) -> AsyncGenerator[T | None]:
        async with self._pool.borrow(self.repository, self.identity) as process:
            for window, _ in _windows(revisions, process.window):
                asked = {revision for revision in window if process.can_ask(revision)}
                await process.send(request, [revision for revision in window if revision in asked])
                for revision in window:
                    yield await take(process, revision) if revision in asked else None

    async def _batches(
        self,
        request: Callable[[bytes], bytes],
        batches: AsyncIterator[Sequence[bytes]],
        take: Callable[[CatFile, Sequence[bytes]], Awaitable[list[T | None]]],
    ) -> AsyncGenerator[list[T | None]]:
        async with self._pool.borrow(self.repository, self.identity) as process:
            process.expect_much()
            async with aclosing(_sent_ahead(process, request, batches)) as windows:
                async for asked in windows:
                    taken = 0
                    while taken < len(asked):
                        answers = await take(process, asked[taken:])
                        taken += len(answers)
                        yield answers

    async def _verified(self, revision: bytes) -> str | None:
        if revision.startswith(b"-"):
            return None
        command = Command(name="rev-parse", flags=["--verify"], args=[revision])
        done = await self._pool.git.run(self.repository, command)
        printed = done.stdout.removesuffix(b"\n")
        # `^main:path` would be printed with its caret.
        return printed.decode("ascii") if is_full_id(printed, self.format) else None


async def streamed(
    git: Git, repository: GitRepository, info: ObjectInfo, limit: int
) -> AsyncGenerator[bytes]:
    """The first `limit` bytes of a large object (all, if negative), from a process of its own."""
    left = info.size if limit < 0 else min(limit, info.size)
    command = Command(name="cat-file", args=[info.type, info.oid])
    async with git.start(repository, command) as process:
        while left:
            piece = await process.read(min(left, _PIECE))
            if not piece:
                await process.wait()
                raise ObjectUnreadable(info.oid, process.stderr.decode("utf-8", "replace").strip())
            left -= len(piece)
            yield piece


async def _sent_ahead(
    process: CatFile, request: Callable[[bytes], bytes], batches: AsyncIterator[Sequence[bytes]]
) -> AsyncGenerator[list[bytes]]:
    """Sends requests, and gives the revisions whose replies are to be taken now.

    As many are sent before as fit the pipe, whose pages are not always filled: git works on them while the
    replies to others are taken.
    """
    ahead: deque[tuple[list[bytes], int]] = deque()
    size = 0
    async for batch in batches:
        for revisions, bytes_sent in _windows(batch, process.window):
            asked = process.askable(revisions)
            cost = -(-bytes_sent // PAGESIZE) * PAGESIZE
            # What does not fit git would not read as long as it waits for us to read.
            while ahead and size + cost > process.room:
                taken, freed = ahead.popleft()
                size -= freed
                yield taken
            await process.send(request, asked)
            ahead.append((asked, cost))
            size += cost
    for taken, _ in ahead:
        yield taken


def _windows(revisions: Iterable[bytes], most: int) -> Iterator[tuple[list[bytes], int]]:
    """Groups of revisions, each with the bytes of its requests: at most `most`, or those of one request."""
    window: list[bytes] = []
    size = _FLUSH
    for revision in revisions:
        cost = len(revision) + _REQUEST
        if window and size + cost > most:
            yield _checked(window), size
            window, size = [], _FLUSH
        window.append(revision)
        size += cost
    if window:
        yield _checked(window), size


def _checked(revisions: list[bytes]) -> list[bytes]:
    """Raises RevisionHasNul."""
    if b"\0" in b"".join(revisions):
        for revision in revisions:
            check_revision(revision)
    return revisions
