"""Questions about a repository's branches (ref-blob.md 5.1, repository.md A7)."""

from __future__ import annotations

from contextlib import aclosing

from gitaly_py.git.reading.errors import HeadDetached
from gitaly_py.git.reading.interface import Reference, ReferenceReader

_HEADS = b"refs/heads/"
_USUAL = (b"refs/heads/main", b"refs/heads/master")


async def default_branch(reader: ReferenceReader) -> bytes | None:
    """The default branch: the first that exists of HEAD's target, main, master, and any other branch.

    The full name, or None without any branch. Raises HeadDetached, HeadUnreadable.
    """
    head = await reader.head()
    if head.target is None:
        raise HeadDetached
    if head.oid is not None:
        return head.target
    for name in _USUAL:
        if await reader.reference(name) is not None:
            return name
    first = await first_reference(reader, _HEADS)
    return first.name if first else None


async def has_local_branches(reader: ReferenceReader) -> bool:
    """Whether there is any reference under `refs/heads/`."""
    return await first_reference(reader, _HEADS) is not None


async def first_reference(reader: ReferenceReader, prefix: bytes) -> Reference | None:
    """The first reference, in byte order, whose name starts with `prefix`."""
    async with aclosing(reader.references(prefix)) as batches:
        async for batch in batches:
            return Reference(batch.names[0], batch.oids[0], None)
    return None
