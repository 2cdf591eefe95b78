"""The child process that detects: answers one frame of its standard input after the other on standard output.

It keeps what detection costs out of the workers: memory for tables, time under Python's lock, and patterns
that some content makes slow. It ends when its input does.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO

from gitaly_py.detection import frames
from gitaly_py.detection.rules import tables
from gitaly_py.detection.rules.attributes import Attributes
from gitaly_py.detection.rules.counting import ContentNeeded, color_of, counted_language
from gitaly_py.detection.verdicts import CONTENT_NEEDED, unpacked

_PATIENCE = 1.0
"""Seconds that the content of one file may take; half as many after each that takes longer."""

_LEAST_PATIENCE = 0.05

_LICENSE_PATIENCE = 20.0
"""The same for a file that may hold a license; there are few of them."""


class _TooSlow(Exception):
    pass


def main() -> None:
    """Serves until the end of standard input."""
    serve(sys.stdin.buffer, sys.stdout.buffer)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answers every request. Raises KeyError for one of an unknown kind."""
    while len(header := requests.read(frames.HEADER)) == frames.HEADER:
        kind, *arguments = frames.fields(requests.read(frames.length(header)))
        answers.write(frames.frame(_ANSWERS[kind](arguments)))
        answers.flush()


def _paths(arguments: Sequence[bytes]) -> list[bytes]:
    """Verdicts by path and attributes, which alternate in `arguments`."""
    pairs = zip(arguments[::2], arguments[1::2], strict=True)
    return [_verdict(path, unpacked(attributes)) for path, attributes in pairs]


def _samples(arguments: Sequence[bytes]) -> list[bytes]:
    """Verdicts by path, attributes and beginning of the content, which alternate in `arguments`."""
    triples = zip(arguments[::3], arguments[1::3], arguments[2::3], strict=True)
    return [_verdict(path, unpacked(attributes), sample) for path, attributes, sample in triples]


def _verdict(path: bytes, attributes: Attributes, sample: bytes | None = None) -> bytes:
    try:
        with _patience:
            language = counted_language(path, attributes, sample)
    except ContentNeeded:
        return CONTENT_NEEDED
    except _TooSlow:
        language = counted_language(path, attributes, b"")
    return b"" if language is None else language.encode("utf-8", "surrogateescape")


def _languages(arguments: Sequence[bytes]) -> list[bytes]:
    """Id and colour of each named language, in JSON; `null` for a name that is unknown."""
    known = tables.languages()
    names = [name.decode("utf-8", "surrogateescape") for name in arguments]
    facts = [[known[name].id, color_of(name)] if name in known else None for name in names]
    return [json.dumps(each).encode() for each in facts]


def _license(arguments: Sequence[bytes]) -> list[bytes]:
    """The matches of a file, in JSON: identifier, name, reference and confidence. Takes name and content."""
    from gitaly_py.detection.rules import licenses, markup  # noqa: PLC0415 - no use for languages

    name, content = (argument.decode("utf-8", "replace") for argument in arguments)
    known = licenses.licenses()
    try:
        with _license_patience:
            found = licenses.matches(markup.plain_text(name, content), content)
    except _TooSlow:
        found = {}
    return [
        json.dumps([each, known[each].name, next(iter(known[each].urls), ""), confidence]).encode()
        for each, confidence in found.items()
    ]


class _Patience:
    """Ends what takes too long within a block, which raises _TooSlow then."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        signal.signal(signal.SIGALRM, self._give_up)
        signal.setitimer(signal.ITIMER_REAL, self._seconds)

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _give_up(self, *_: object) -> None:
        self._seconds = max(self._seconds / 2, _LEAST_PATIENCE)
        raise _TooSlow


_patience = _Patience(_PATIENCE)
_license_patience = _Patience(_LICENSE_PATIENCE)

_ANSWERS: Mapping[bytes, Callable[[Sequence[bytes]], list[bytes]]] = {
    b"paths": _paths,
    b"samples": _samples,
    b"languages": _languages,
    b"license": _license,
}
