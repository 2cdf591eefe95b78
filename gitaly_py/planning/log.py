"""A log, read once: its calls, and what of it could not be used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import inf
from typing import Final

from gitaly_py.planning.errors import PlanningError
from gitaly_py.planning.estimates import Estimates
from gitaly_py.planning.lines import Malformed, entry, lines
from gitaly_py.planning.requests import Request, request
from gitaly_py.planning.sorting import Requests

_NAMED: Final = 5


class Log:
    """What was logged.

    requests: calls that a limiter could hold up. estimates: learnt from them. limited: full methods that met
    a limit of their own. lines, calls: how many there are of all. first, last: Unix seconds of arrivals.
    malformed: lines that could not be read; examples: the first of them, as FILE:LINE.
    """

    def __init__(self) -> None:
        self.requests = Requests()
        self.estimates = Estimates()
        self.limited: set[str] = set()
        self.lines = 0
        self.calls = 0
        self.first = inf
        self.last = -inf
        self.malformed = 0
        self.examples: list[str] = []

    def read(self, path: str) -> None:
        """Takes all lines of a file. Raises PlanningError, OSError when temporary files have no place."""
        for number, line in enumerate(lines(path), start=1):
            if not line:
                continue
            self.lines += 1
            try:
                found = request(entry(line))
            except Malformed as error:
                self._skip(f"{path}:{number}: {error}")
            else:
                if found is not None:
                    self._take(found)

    def _take(self, found: Request) -> None:
        self.calls += 1
        self.first = min(self.first, found.arrival)
        self.last = max(self.last, found.arrival)
        if found.limited:
            self.limited.add(found.rpc)
        if found.repository or found.client:
            self.estimates.learn(found)
            self.requests.add(found)

    def _skip(self, example: str) -> None:
        self.malformed += 1
        if len(self.examples) < _NAMED:
            self.examples.append(example)


@contextmanager
def read(paths: Sequence[str]) -> Iterator[Log]:
    """The log that several files are parts of, in any order. Raises PlanningError, also without a call."""
    log = Log()
    try:
        for path in paths:
            log.read(path)
        if not log.calls:
            raise PlanningError(_without_calls(paths, log))
        yield log
    finally:
        log.requests.close()


def _without_calls(paths: Sequence[str], log: Log) -> str:
    read_lines = f"{log.lines} lines, {log.malformed} of them malformed"
    return "\n".join([f"no access log lines in {', '.join(paths)} ({read_lines})", *log.examples])
