"""The dates that references are sorted by."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from gitaly_py.git.reading.interface import GitObject, Reader
from gitaly_py.services.ref.objects import infos_of, objects_of

_KEPT = 1 << 16
"""Objects whose dates are kept in memory, about 300 bytes each."""

_LARGEST = 2**64 - 2
"""The greatest number of seconds that git takes for a date."""

_COMMITTER = re.compile(rb"^committer [^\n]*?> \s*\+?([0-9]*)", re.MULTILINE)
_AUTHOR = re.compile(rb"^author [^\n]*?> \s*\+?([0-9]*)", re.MULTILINE)
_TAGGER = re.compile(rb"^tagger [^\n]*?> \s*\+?([0-9]*)", re.MULTILINE)


class Dates(NamedTuple):
    """Seconds since 1970 under the names of git's sort keys; 0 stands for none (ref-blob.md 3.3)."""

    committerdate: int
    authordate: int
    creatordate: int


_NO_DATES = Dates(0, 0, 0)

_known: dict[str, Dates] = {}
"""Of objects of any repository, oldest first: an id stands for the same content everywhere."""


async def dates_of(reader: Reader, oids: Iterable[str]) -> dict[str, Dates]:
    """The dates of these objects, each read once. Raises ObjectNotFound."""
    found: dict[str, Dates] = {}
    unknown: list[str] = []
    for oid in oids:
        dates = _known.get(oid)
        if dates is None:
            unknown.append(oid)
        else:
            found[oid] = dates
    if unknown:
        read = await _read(reader, unknown)
        found.update(read)
        _keep(read)
    return found


async def _read(reader: Reader, oids: Iterable[str]) -> dict[str, Dates]:
    infos = await infos_of(reader, oids)
    dated = [oid for oid, info in infos.items() if info.type in ("commit", "tag")]
    objects = await objects_of(reader, dated)
    return {oid: _dates(objects[oid]) if oid in objects else _NO_DATES for oid in infos}


def _keep(dates: dict[str, Dates]) -> None:
    _known.update(dates)
    for oid in list(islice(_known, max(0, len(_known) - _KEPT))):
        del _known[oid]


def _dates(found: GitObject) -> Dates:
    header = found.data.partition(b"\n\n")[0]
    if found.type == "commit":
        committed = _seconds(_COMMITTER.search(header))
        return Dates(committed, _seconds(_AUTHOR.search(header)), committed)
    return Dates(0, 0, _seconds(_TAGGER.search(header)))


def _seconds(found: re.Match[bytes] | None) -> int:
    seconds = int(found[1][:20] or 0) if found else 0
    return seconds if seconds <= _LARGEST else 0
