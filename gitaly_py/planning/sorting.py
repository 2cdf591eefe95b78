"""Requests by arrival, however many there are: logs have them in the order of their ends."""

from __future__ import annotations

import heapq
import struct
import tempfile
from collections.abc import Iterator
from operator import itemgetter
from typing import IO, Final, TypeAlias

from gitaly_py.planning.requests import REASONS, Request

RUN: Final = 200_000
"""Requests that are sorted in memory; more go to temporary files in runs of so many."""

_READ_RECORDS: Final = 4096
_RECORD: Final = struct.Struct("<ddddIIIIBB")
_Record: TypeAlias = tuple[float, float, float, float, int, int, int, int, int, int]

_ARRIVAL: Final = itemgetter(0)


class _Names:
    """Numbers for texts, of which there are few."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []

    def number(self, name: str) -> int:
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self._names)
            self._names.append(name)
        return number

    def __getitem__(self, number: int) -> str:
        return self._names[number]


class Requests:
    """Takes requests in any order and gives them by arrival; those that arrived together as they came.

    run: see RUN. Keeps temporary files until `close`.
    """

    def __init__(self, *, run: int = RUN) -> None:
        self._run = run
        self._names = _Names()
        self._records: list[_Record] = []
        self._files: list[IO[bytes]] = []

    def add(self, request: Request) -> None:
        """Takes one. Raises OSError when there is no place for temporary files."""
        if len(self._records) >= self._run:
            self._spill()
        self._records.append(self._packed(request))

    def __iter__(self) -> Iterator[Request]:
        """Those that were added until now; any number of times, but one after the other."""
        self._records.sort(key=_ARRIVAL)
        runs = [*map(_read, self._files), iter(self._records)]
        for record in heapq.merge(*runs, key=_ARRIVAL):
            yield self._unpacked(record)

    def close(self) -> None:
        for file in self._files:
            file.close()

    def _spill(self) -> None:
        self._records.sort(key=_ARRIVAL)
        file = tempfile.TemporaryFile()  # noqa: SIM115 - open until `close`
        self._files.append(file)
        for record in self._records:
            file.write(_RECORD.pack(*record))
        self._records = []

    def _packed(self, request: Request) -> _Record:
        number = self._names.number
        return (
            request.arrival,
            request.wait,
            request.service,
            request.patience,
            number(request.rpc),
            number(request.repository),
            number(request.client),
            request.running,
            REASONS.index(request.reason),
            request.by_packs | request.limited << 1 | request.named << 2 | request.succeeded << 3,
        )

    def _unpacked(self, record: _Record) -> Request:
        arrival, wait, service, patience, rpc, repository, client, running, reason, facts = record
        names = self._names
        return Request(
            arrival,
            wait,
            service,
            patience,
            names[rpc],
            names[repository],
            names[client],
            REASONS[reason],
            bool(facts & 1),
            bool(facts & 2),
            bool(facts & 4),
            bool(facts & 8),
            running,
        )


def _read(file: IO[bytes]) -> Iterator[_Record]:
    file.seek(0)
    while data := file.read(_RECORD.size * _READ_RECORDS):
        yield from _RECORD.iter_unpack(data)
