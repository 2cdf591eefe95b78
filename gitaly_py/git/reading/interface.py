"""What services see of a repository's objects and references.

Names, paths and revisions are bytes; object ids are lower-case hex. Two implementations answer alike:
libgit2 for SHA-1 objects (gitaly_py.git.reading.libgit2) and git processes for everything else
(gitaly_py.git.reading.processes); references of the files backend are always read in process.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from gitaly_py.git.repository import GitRepository
from gitaly_py.git.wire.objects import ObjectFormat


class ObjectInfo(NamedTuple):
    """An object without its content. type: commit, tree, blob or tag; size: bytes."""

    oid: str
    type: str
    size: int


class GitObject(NamedTuple):
    """A whole object. data: its raw content, without git's header."""

    oid: str
    type: str
    data: bytes


class Reference(NamedTuple):
    """A reference that resolves. target: the last name in a symbolic one's chain, None for a plain one."""

    name: bytes
    oid: str
    target: bytes | None


class Head(NamedTuple):
    """HEAD. target: the name it stands for, None when detached; oid: its value, None when unborn."""

    target: bytes | None
    oid: str | None


class References:
    """One batch of a listing, as columns of equal length.

    peeled: what the reference peels to in the end, its own id when it is known to be no tag, None when that
    is not known without reading the object.
    """

    __slots__ = ("names", "oids", "peeled")

    def __init__(self, names: list[bytes], oids: list[str], peeled: list[str | None]) -> None:
        self.names = names
        self.oids = oids
        self.peeled = peeled

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[tuple[bytes, str]]:
        return zip(self.names, self.oids, strict=True)


class Holders(NamedTuple):
    """References by object. certain: those of it or of a known tag of it; open: they may be tags of it."""

    certain: list[Reference]
    open: list[Reference]


class ReferenceReader(Protocol):
    """The reference part of a reader."""

    async def reference(self, name: bytes) -> Reference | None:
        """The reference of that exact full name (`refs/...` or `HEAD`), symbolic ones followed.

        None when it is absent, dangling or unparsable, or when the name breaks git's rules.
        """
        ...

    async def head(self) -> Head:
        """What HEAD says. Raises HeadUnreadable."""
        ...

    def references(
        self, prefix: bytes = b"refs/", *, after: bytes = b"", descending: bool = False
    ) -> AsyncGenerator[References]:
        """Every reference below `refs/` whose name starts with `prefix`, in byte order of the names.

        after: begin beyond that name, in the chosen direction. All batches show one moment. The first batch
        is small, so a short page costs little; use contextlib.aclosing when stopping early.
        """
        ...

    async def holders(self, oid: str) -> Holders:
        """The references that lead to this full id, as far as can be told without reading objects."""
        ...


class Reader(ReferenceReader, Protocol):
    """Reads one repository, as seen through its object directories. Needs no closing; ask for one per call.

    Where `revision` is a parameter, it is anything git resolves to one object.
    """

    @property
    def repository(self) -> GitRepository: ...

    @property
    def format(self) -> ObjectFormat: ...

    async def resolve(self, revision: bytes) -> str | None:
        """The id that `git rev-parse --verify` prints, or None when it fails.

        A full id is given back whether or not the object exists, and `rev:submodule` gives the commit's id.
        Raises RevisionHasNul.
        """
        ...

    async def info(self, revision: bytes) -> ObjectInfo | None:
        """Id, type and size of an object that exists, else None. Raises AmbiguousRevision, RevisionHasNul."""
        ...

    async def read(self, revision: bytes) -> GitObject | None:
        """A whole object, or None. Raises as `info`, and ObjectTooLarge beyond LARGEST_READ bytes."""
        ...

    async def look(self, oid: str) -> GitObject | ObjectInfo | None:
        """An object by its full id: the whole of it if it is small and at hand, else what `info` tells."""
        ...

    def info_each(self, revisions: Iterable[bytes]) -> AsyncGenerator[ObjectInfo | None]:
        """`info` of each revision, in order, without a round trip for each."""
        ...

    def read_each(self, revisions: Iterable[bytes]) -> AsyncGenerator[GitObject | None]:
        """`read` of each revision, in order, without a round trip for each."""
        ...

    def info_batches(
        self, batches: AsyncIterator[Sequence[bytes]]
    ) -> AsyncGenerator[list[ObjectInfo | None]]:
        """`info` of as many revisions as may come, in order, in lists of whatever length.

        The answers to a batch may wait for later ones. `batches` stays the caller's, who closes it.
        """
        ...

    def read_batches(self, batches: AsyncIterator[Sequence[bytes]]) -> AsyncGenerator[list[GitObject | None]]:
        """`read` of as many, in the same way: git reads ahead while the caller works on a list."""
        ...

    async def references_to(self, oid: str) -> list[Reference]:
        """The references whose value, or fully peeled value, is this full id, in byte order of the names."""
        ...

    def content(self, oid: str, limit: int = -1) -> AsyncGenerator[bytes]:
        """The first `limit` bytes of an object of any size, in pieces; all of them when limit is negative.

        Raises ObjectNotFound. Use contextlib.aclosing.
        """
        ...


LARGEST_READ = 50 << 20
"""Bytes of the largest object that `read` loads: git's own core.bigFileThreshold (ref-blob.md 1.5)."""
