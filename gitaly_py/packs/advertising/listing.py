"""Answers to parts of ls-refs without git: for references that are few, and as git itself writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from gitaly_py.git.reading.libgit2 import LibGit2Reader
from gitaly_py.git.reading.packed import PackedReferences
from gitaly_py.packs.advertising.lines import Undecided, joined, line, packed_lines, put
from gitaly_py.packs.advertising.survey import Survey
from gitaly_py.packs.advertising.wanted import HEAD, HIDDEN, Wanted
from gitaly_py.telemetry.turns import turn

_MOST_TEXT: Final = 256 << 10
"""Bytes of packed-refs; git takes less of our time to start than more of them would."""
_MOST_LOOSE: Final = 200

_TURN: Final = 20
"""Objects looked at in a row; one may take 0.1 ms."""

_DEEPEST_TAG: Final = 10
_TAG: Final = re.compile(rb"object ([0-9a-f]{40})\ntype (commit|tree|blob|tag)\ntag [^\n]*\n")


async def listed(reader: LibGit2Reader, survey: Survey, part: bytes, wanted: Wanted) -> bytes:
    """The packets for one part. survey: of that part. Raises Undecided, ReadingError, OSError."""
    if not survey.plain or len(survey.values) > _MOST_LOOSE or reader.files is None:
        raise Undecided
    loose = _Loose(reader, survey, wanted)
    if part == HEAD:
        return joined([text for text in (await loose.lines()).values() if text is not None])
    lines = await _packed(reader.files.packed(), part, wanted)
    put(lines, await loose.lines())
    return joined(lines)


def size(packed: PackedReferences, part: bytes) -> int:
    """Bytes of packed-refs that a part takes up, about as many as its packets."""
    return 0 if part == HEAD else sum(end - begin for begin, end in _spans(packed, part))


async def _packed(packed: PackedReferences, part: bytes, wanted: Wanted) -> list[bytes]:
    taken = size(packed, part)
    if taken > _MOST_TEXT or (taken and wanted.peel and not packed.peeled):
        raise Undecided
    lines: list[bytes] = []
    for begin, end in _spans(packed, part):
        for entries in packed.texts(begin, end):
            lines += packed_lines(entries, peel=wanted.peel)
            await turn()
    return lines


def _spans(packed: PackedReferences, part: bytes) -> Iterator[tuple[int, int]]:
    """Where the references of a part stand, without the hidden ones."""
    begin, end = packed.span(part)
    for hidden in HIDDEN:
        if not hidden.startswith(part):
            continue
        if packed.find(hidden) is not None:
            yield begin, packed.span(hidden)[0]
            begin = packed.span(part, after=hidden)[0]
        below, beyond = packed.span(hidden + b"/")
        yield begin, below
        begin = beyond
    yield begin, end


class _Loose:
    """The lines of what a survey has found."""

    def __init__(self, reader: LibGit2Reader, survey: Survey, wanted: Wanted) -> None:
        self._reader = reader
        self._survey = survey
        self._wanted = wanted

    async def lines(self) -> dict[bytes, bytes | None]:
        """The line for each name; None where git lists nothing."""
        found: dict[bytes, bytes | None] = {}
        for number, (name, oid) in enumerate(self._survey.values.items()):
            found[name] = await self._line(name, oid)
            if number % _TURN == 0:
                await turn()
        for name, link in self._survey.links.items():
            target = link.target if self._wanted.symrefs else None
            if link.oid is not None:
                found[name] = await self._line(name, link.oid, target)
            elif name == HEAD and self._wanted.unborn:
                found[name] = line(HEAD, "unborn", target)
            else:
                found[name] = None
        return found

    async def _line(self, name: bytes, oid: str, target: bytes | None = None) -> bytes:
        peeled = await self._peeled(oid) if self._wanted.peel else None
        return line(name, oid, target, peeled)

    async def _peeled(self, oid: str) -> str | None:
        """What a tag leads to in the end; None for anything else."""
        kind = await self._type(oid)
        if kind != "tag":
            return None
        for _ in range(_DEEPEST_TAG):
            found = await self._reader.read(oid.encode())
            header = None if found is None else _TAG.match(found.data)
            if header is None:
                raise Undecided
            oid, kind = header[1].decode(), await self._type(header[1].decode())
            if kind.encode() != header[2]:
                raise Undecided
            if kind != "tag":
                return oid
        raise Undecided

    async def _type(self, oid: str) -> str:
        found = await self._reader.info(oid.encode())
        if found is None:
            # It may come, without any reference telling.
            self._survey.state.distrust()
            raise Undecided
        return found.type
