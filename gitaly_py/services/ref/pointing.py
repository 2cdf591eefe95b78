"""References to given objects (ref-blob.md 5.14)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable

from gitaly_py.git.reading.interface import Reader, References
from gitaly_py.git.reading.matching import Patterns
from gitaly_py.rpc.status import Internal


async def references_pointing_at(
    reader: Reader, revisions: Iterable[bytes], patterns: Patterns
) -> AsyncGenerator[References]:
    """One batch: the references that match and lead to what one of `revisions` names, in byte order of names.

    A reference leads to its value and to everything its tag, if it is one, peels through. Raises Internal
    when a revision does not resolve; one that names no object leads nowhere.
    """
    found: dict[bytes, str] = {}
    for revision in revisions:
        oid = await reader.resolve(revision)
        if oid is None:
            raise Internal("listing failed with exit code 129")
        found.update(await _references_to(reader, oid))
    names = sorted(filter(patterns.matches, found))
    yield References(names, [found[name] for name in names], [None] * len(names))


async def _references_to(reader: Reader, oid: str) -> dict[bytes, str]:
    """Name and value of each reference that leads to `oid`."""
    info = await reader.info(oid.encode())
    if info is None:
        return {}
    if info.type != "tag":
        return {each.name: each.oid for each in await reader.references_to(oid)}
    # References are indexed by their value and their last object only: tags between are found from the end.
    final = await reader.info(oid.encode() + b"^{}")
    candidates = [] if final is None else await reader.references_to(final.oid)
    return {each.name: each.oid for each in candidates if await _leads_to(reader, each.oid, oid)}


async def _leads_to(reader: Reader, oid: str, wanted: str) -> bool:
    while oid != wanted:
        found = await reader.read(oid.encode())
        if found is None or found.type != "tag":
            return False
        oid = found.data.removeprefix(b"object ").partition(b"\n")[0].decode("ascii")
    return True
