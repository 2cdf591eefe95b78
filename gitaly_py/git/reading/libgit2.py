"""The reader for SHA-1 repositories: answers in process, and asks git only what it can't know."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import TypeVar

from gitaly_py.git.reading.database import ObjectDatabase, ObjectUnreadableHere
from gitaly_py.git.reading.errors import ObjectTooLarge
from gitaly_py.git.reading.interface import (
    LARGEST_READ,
    GitObject,
    Head,
    Holders,
    ObjectInfo,
    Reference,
    ReferenceReader,
    References,
)
from gitaly_py.git.reading.peeling import Resolver, Undecided
from gitaly_py.git.reading.pointing import references_to
from gitaly_py.git.reading.processes import ProcessReader
from gitaly_py.git.reading.recent import RecentObjects
from gitaly_py.git.reading.refs import FileReferences
from gitaly_py.git.reading.revisions import check_revision
from gitaly_py.git.repository import GitRepository
from gitaly_py.git.wire.objects import SHA1, ObjectFormat
from gitaly_py.telemetry.turns import turn

_INLINE = 512 << 10
"""Bytes of the largest object that is inflated on the event loop: about two milliseconds."""

_TURN = 0.002
"""Seconds that `info_each` and `read_each` may hold the event loop."""

_FEW = 512
"""Objects of one request that are read in process; for more than that a git process, on another processor,
is quicker, its start included."""

_PORTION = 64
_LARGE = 64 << 10
"""Bytes."""

T = TypeVar("T")


class LibGit2Reader:
    """A Reader of SHA-1 objects; see interface.py for what its methods promise."""

    __slots__ = ("_database", "_git", "_references", "_resolver", "repository")

    format: ObjectFormat = SHA1

    def __init__(
        self,
        repository: GitRepository,
        database: ObjectDatabase,
        references: ReferenceReader,
        git: ProcessReader,
    ) -> None:
        self.repository = repository
        self._database = RecentObjects(database)
        self._references = references
        in_process = references if isinstance(references, FileReferences) else None
        self._resolver = Resolver(self._database, in_process)
        self._git = git

    @property
    def files(self) -> FileReferences | None:
        """Its references; None where only git can read them."""
        return self._references if isinstance(self._references, FileReferences) else None

    async def resolve(self, revision: bytes) -> str | None:
        """See Reader."""
        check_revision(revision)
        try:
            return self._resolver.resolve(revision)
        except (Undecided, ObjectUnreadableHere):
            return await self._git.resolve(revision)

    async def info(self, revision: bytes) -> ObjectInfo | None:
        """See Reader."""
        check_revision(revision)
        try:
            oid = self._resolver.resolve(revision)
            return None if oid is None else self._database.info(oid)
        except (Undecided, ObjectUnreadableHere):
            return await self._git.info(revision)

    async def read(self, revision: bytes) -> GitObject | None:
        """See Reader."""
        check_revision(revision)
        try:
            oid = self._resolver.resolve(revision)
            found = None if oid is None else self._database.look(oid)
            if found is None or isinstance(found, GitObject):
                return found
            if found.size <= _INLINE:
                return self._database.read(found.oid)
        except (Undecided, ObjectUnreadableHere):
            return await self._git.read(revision)
        if found.size > LARGEST_READ:
            raise ObjectTooLarge(found.oid, found.size)
        return await self._git.read(found.oid.encode())

    async def look(self, oid: str) -> GitObject | ObjectInfo | None:
        """See Reader."""
        try:
            return self._database.look(oid)
        except ObjectUnreadableHere:
            return await self._git.look(oid)

    def info_each(self, revisions: Iterable[bytes]) -> AsyncGenerator[ObjectInfo | None]:
        """See Reader."""
        return _each(self.info, revisions)

    def read_each(self, revisions: Iterable[bytes]) -> AsyncGenerator[GitObject | None]:
        """See Reader."""
        return _each(self.read, revisions)

    def info_batches(
        self, batches: AsyncIterator[Sequence[bytes]]
    ) -> AsyncGenerator[list[ObjectInfo | None]]:
        """See Reader."""
        return _batches(self.info_each, self._git.info_batches, batches)

    def read_batches(self, batches: AsyncIterator[Sequence[bytes]]) -> AsyncGenerator[list[GitObject | None]]:
        """See Reader."""
        return _batches(self.read_each, self._git.read_batches, batches)

    async def content(self, oid: str, limit: int = -1) -> AsyncGenerator[bytes]:
        """See Reader."""
        try:
            info = self._database.info(oid)
            small = None if info is None or info.size > _INLINE else self._database.read(oid)
        except ObjectUnreadableHere:
            info = small = None
        if small is None:
            async with aclosing(self._git.content(oid, limit)) as pieces:
                async for piece in pieces:
                    yield piece
        elif limit and small.data:
            yield small.data if limit < 0 else small.data[:limit]

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
    look_up: Callable[[bytes], Awaitable[T | None]], revisions: Iterable[bytes]
) -> AsyncGenerator[T | None]:
    begun = time.monotonic()
    for revision in revisions:
        yield await look_up(revision)
        if time.monotonic() - begun > _TURN:
            await turn()
            begun = time.monotonic()


async def _batches(
    few: Callable[[Sequence[bytes]], AsyncGenerator[T | None]],
    many: Callable[[AsyncIterator[Sequence[bytes]]], AsyncGenerator[list[T | None]]],
    batches: AsyncIterator[Sequence[bytes]],
) -> AsyncGenerator[list[T | None]]:
    """Answers from `few` as long as they are; from the batch on that makes them too many, from `many`."""
    left = _FEW
    async for batch in batches:
        if len(batch) > left:
            async with (
                aclosing(_resumed(batch, batches)) as beyond,
                aclosing(many(beyond)) as portions,
            ):
                async for others in portions:
                    yield others
            return
        portion: list[T | None] = []
        async with aclosing(few(batch)) as answers:
            async for answer in answers:
                portion.append(answer)
                if len(portion) == _PORTION or _is_large(answer):
                    yield portion
                    portion = []
        if portion:
            yield portion
        left -= len(batch)


def _is_large(answer: object) -> bool:
    """Whether it takes much memory, so that it is not kept until others have come."""
    return isinstance(answer, GitObject) and len(answer.data) > _LARGE


async def _resumed(
    first: Sequence[bytes], batches: AsyncIterator[Sequence[bytes]]
) -> AsyncGenerator[Sequence[bytes]]:
    yield first
    async for batch in batches:
        yield batch
