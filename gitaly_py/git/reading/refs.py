"""References of the files backend, read without git (ref-blob.md 9).

Loose files are read before packed-refs, since git packs in the other order: a reference on its way into
packed-refs is then seen in one of the two. A loose reference hides a packed one of the same name.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import AsyncGenerator, Iterator, Sequence

from gitaly_py.git.reading.errors import HeadUnreadable
from gitaly_py.git.reading.interface import Head, Holders, Reference, References
from gitaly_py.git.reading.loose import LooseReference, LooseReferences
from gitaly_py.git.reading.names import is_safe_name
from gitaly_py.git.reading.packed import PackedFile, PackedReferences
from gitaly_py.git.reading.stamps import Stamp
from gitaly_py.telemetry.turns import turn

_DEEPEST_SYMREF = 5
"""Names in a chain of symbolic references; git's SYMREF_MAXDEPTH."""

_FEW_LOOSE = 100
"""So many files are read within about a millisecond; more are read in a thread."""

_BATCH = 4096

_USUAL = 4
"""So many names are looked for first by `first`: those of tags and branches are among them."""


class FileReferences:
    """The references of one repository; kept between calls for the sake of what was read of them."""

    def __init__(self, repository_path: str, hex_length: int) -> None:
        self._loose = LooseReferences(repository_path, hex_length)
        self._packed = PackedFile(repository_path, hex_length)

    def steady(self, folder: Stamp) -> SteadyReferences:
        """For one call; folder: the stamp of the repository's folder, settled and taken in this call."""
        return SteadyReferences(self._loose, self._packed, folder)

    def packed(self) -> PackedReferences:
        """packed-refs as it is now. To be looked at after loose references. Raises as PackedFile.current."""
        return self._packed.current()

    async def reference(self, name: bytes) -> Reference | None:
        """See ReferenceReader.reference."""
        return self.lookup(name)

    def lookup(self, name: bytes) -> Reference | None:
        """`reference`, for those who can't wait."""
        if not is_safe_name(name):
            return None
        oid, last = self._followed(name)
        return None if oid is None else Reference(name, oid, None if last == name else last)

    def first(self, names: Sequence[bytes]) -> str | None:
        """The value of the first of some references that has one. The names must be safe."""
        return self._first(names[:_USUAL]) or self._first(names[_USUAL:])

    def _first(self, names: Sequence[bytes]) -> str | None:
        """As `first`, with one look at packed-refs: after that at the loose files, as git packs."""
        found = None
        behind: list[bytes] = []
        for name in names:
            found = self._read(name)
            if found is not None:
                break
            behind.append(name)
        packed = self._packed.current()
        for name in behind:
            oid = packed.find(name)
            if oid is not None:
                return self._found_packed(name, oid)
        if found is None or (found.target is None and found.oid is not None):
            return found and found.oid
        # Symbolic or broken: the slow way knows what to do, and goes on behind it.
        return next(filter(None, (self._followed(name)[0] for name in names)), None)

    async def head(self) -> Head:
        """See ReferenceReader.head."""
        oid, last = self._followed(b"HEAD")
        if last != b"HEAD":
            return Head(last, oid)
        if oid is None:
            raise HeadUnreadable
        return Head(None, oid)

    async def references(
        self, prefix: bytes = b"refs/", *, after: bytes = b"", descending: bool = False
    ) -> AsyncGenerator[References]:
        """See ReferenceReader.references."""
        if b"refs/".startswith(prefix):
            prefix = b"refs/"
        elif not prefix.startswith(b"refs/"):
            return
        loose = await self._values(prefix)
        names = _beyond(sorted(loose), after, descending=descending)
        packed = self._packed.current()
        begin, end = packed.span(prefix, after=after, descending=descending)
        for batch in packed.batches(begin, end, descending=descending):
            if names and len(batch):
                names = _merge(batch, names, loose, descending=descending)
            if len(batch):
                yield _reversed(batch) if descending else batch
                await turn()
        for batch in _loose_batches(names, loose, descending=descending):
            yield batch

    async def holders(self, oid: str) -> Holders:
        """See ReferenceReader.holders."""
        values = await self._values(b"refs/")
        certain = [name for name, value in values.items() if value == oid]
        tags = [name for name, value in values.items() if value not in (oid, None)]
        packed = self._packed.current()
        for stretch in packed.holders(oid):
            certain += [name for name, _ in stretch if name not in values]
            await turn()
        if not packed.peeled:
            seen = {*certain, *values}
            async for batch in self.references():
                unknown = zip(batch.names, batch.peeled, strict=True)
                tags += [name for name, peeled in unknown if peeled is None and name not in seen]
        return Holders(self._found(certain), self._found(tags))

    def _found(self, names: list[bytes]) -> list[Reference]:
        return [found for name in names if (found := self.lookup(name)) is not None]

    def _read(self, name: bytes) -> LooseReference | None:
        return self._loose.read(name)

    def _found_packed(self, name: bytes, oid: str) -> str:  # noqa: ARG002 - for those who remember it
        return oid

    def _followed(self, name: bytes) -> tuple[str | None, bytes]:
        """The value at the end of the chain that begins with `name`, and the chain's last name."""
        for _ in range(_DEEPEST_SYMREF):
            loose = self._read(name)
            if loose is None:
                return self._packed.current().find(name), name
            if loose.target is None:
                return loose.oid, name
            name = loose.target
        return None, name

    async def _values(self, prefix: bytes) -> dict[bytes, str | None]:
        """The values of the loose references with that prefix; None for those that don't resolve."""
        loose = self._loose.scan(prefix, at_most=_FEW_LOOSE)
        if loose is None:
            loose = await asyncio.to_thread(self._loose.scan_all, prefix)
        return {name: self._value(name, reference) for name, reference in loose.items()}

    def _value(self, name: bytes, loose: LooseReference) -> str | None:
        if not is_safe_name(name):
            return None
        oid = self._followed(name)[0] if loose.target is not None else loose.oid
        # One of zeros is broken to git, which leaves it out of lists.
        return oid if oid is not None and oid.strip("0") else None


class SteadyReferences(FileReferences):
    """The references as a call sees them that changes none: what it has found it does not look for again.

    Each is in a state that it had at some time since the call began.
    """

    def __init__(self, loose: LooseReferences, packed: PackedFile, folder: Stamp) -> None:
        self._loose = loose
        self._packed = packed
        self._folder = folder
        self._seen: dict[bytes, LooseReference] = {}

    def _read(self, name: bytes) -> LooseReference | None:
        found = self._seen.get(name)
        if found is None:
            found = self._loose.read(name, self._folder)
            if found is not None:
                self._seen[name] = found
        return found

    def _found_packed(self, name: bytes, oid: str) -> str:
        self._seen[name] = LooseReference(oid, None)
        return oid


def _beyond(names: list[bytes], after: bytes, *, descending: bool) -> list[bytes]:
    if not after:
        return names
    return names[: bisect_left(names, after)] if descending else names[bisect_right(names, after) :]


def _merge(
    batch: References, names: list[bytes], loose: dict[bytes, str | None], *, descending: bool
) -> list[bytes]:
    """Puts the loose references of the batch's range into it; gives the names that are left."""
    if descending:
        cut = bisect_left(names, batch.names[0])
        mine, rest = names[cut:], names[:cut]
    else:
        cut = bisect_right(names, batch.names[-1])
        mine, rest = names[:cut], names[cut:]
    for name in mine:
        at = bisect_left(batch.names, name)
        exists = at < len(batch.names) and batch.names[at] == name
        old = slice(at, at + 1 if exists else at)
        value = loose[name]
        batch.names[old] = [] if value is None else [name]
        batch.oids[old] = [] if value is None else [value]
        batch.peeled[old] = [] if value is None else [None]
    return rest


def _loose_batches(
    names: list[bytes], loose: dict[bytes, str | None], *, descending: bool
) -> Iterator[References]:
    values = [(name, value) for name in names if (value := loose[name]) is not None]
    if descending:
        values.reverse()
    for begin in range(0, len(values), _BATCH):
        some = values[begin : begin + _BATCH]
        yield References([name for name, _ in some], [value for _, value in some], [None] * len(some))


def _reversed(batch: References) -> References:
    return References(batch.names[::-1], batch.oids[::-1], batch.peeled[::-1])
