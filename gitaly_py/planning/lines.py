"""The lines of logs: files or standard input, compressed or not, JSON or text (daemon.md 4.4)."""

from __future__ import annotations

import gzip
import io
import json
import re
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, Final

from gitaly_py.config.errors import os_reason
from gitaly_py.planning.errors import PlanningError

STDIN: Final = "-"
_GZIP: Final = b"\x1f\x8b"
_PAIR: Final = re.compile(r'([^\s="]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?=\s|$)')


class Malformed(ValueError):
    """A line that is no entry of a log, or one about a call that lacks what every such entry has."""


def lines(path: str) -> Iterator[str]:
    """The lines of the file `path`, or of standard input if that is STDIN. Raises PlanningError."""
    try:
        with _opened(path) as file:
            for line in file:
                yield line.decode(errors="replace").strip()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise PlanningError(f"{path}: broken compression: {error}") from error
    except OSError as error:
        raise PlanningError(f"{path}: {os_reason(error)}") from error


def entry(line: str) -> Mapping[str, Any]:
    """The fields of an entry; those of one in text form are all strings. Raises Malformed."""
    if line.startswith("{"):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise Malformed(str(error)) from error
        if not isinstance(found, dict):
            raise Malformed("not an object")
        return found
    if not line.startswith("time="):
        raise Malformed("neither JSON nor key=value")
    return {key: _unquoted(value) for key, value in _PAIR.findall(line)}


@contextmanager
def _opened(path: str) -> Iterator[Iterable[bytes]]:
    if path == STDIN:
        yield _plain(sys.stdin.buffer)
    else:
        with open(path, "rb") as file:
            yield _plain(file)


def _plain(file: BinaryIO) -> Iterable[bytes]:
    """The lines of `file`, without compression."""
    start = file.read(len(_GZIP))
    whole = _Rest(start, file)
    return gzip.GzipFile(fileobj=whole) if start == _GZIP else io.BufferedReader(whole)


class _Rest(io.RawIOBase):
    """A file whose first bytes were read already, and which perhaps can't be read twice."""

    def __init__(self, start: bytes, file: BinaryIO) -> None:
        self._start = start
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._start[: len(buffer)] or self._file.read(len(buffer))
        self._start = self._start[len(data) :]
        buffer[: len(data)] = data
        return len(data)


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        # Go knows escapes that JSON does not.
        return value[1:-1]
