"""Which language a file is written in (commit.md 4.2).

A strategy yields languages: one is the answer; several replace the candidates so far; none changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from gitaly_py.detection.rules import classifier, heuristics, modelines, shebangs, tables

_BINARY_SAMPLE = 8000
"""Bytes in which a NUL makes a file binary."""

_MAN_PAGE = re.compile(r"\.(?:[1-9][a-z]*|0p|n|man|mdoc)(?:\.in)?\Z")
_XML = re.compile(rb"<\?xml version=")


class _Known(NamedTuple):
    """What a strategy may use. name: the file's, without folders."""

    name: str
    sample: bytes
    candidates: Sequence[str]


def language_of(path: bytes, sample: bytes) -> str | None:
    """The name of the language, or None. sample: how the file begins."""
    if b"\0" in sample[:_BINARY_SAMPLE]:
        return None
    name = path.rpartition(b"/")[2].decode("utf-8", "surrogateescape")
    candidates: Sequence[str] = ()
    for strategy in _STRATEGIES:
        found = strategy(_Known(name, sample, candidates))
        if len(found) == 1:
            return found[0]
        candidates = found or candidates
    return classifier.most_likely(candidates, sample) if candidates else None


def _by_modeline(file: _Known) -> Sequence[str]:
    mode = modelines.mode(file.sample)
    language = None if mode is None else tables.names().aliases.get(tables.alias_key(mode))
    return () if language is None else (language,)


def _by_filename(file: _Known) -> Sequence[str]:
    return tables.names().filenames.get(file.name, ())


def _by_shebang(file: _Known) -> Sequence[str]:
    interpreter = shebangs.interpreter(file.sample)
    return () if interpreter is None else tables.names().interpreters.get(interpreter, ())


def _by_extension(file: _Known) -> Sequence[str]:
    extensions = tables.names().extensions
    lowered = file.name.lower()
    at = lowered.find(".")
    while at >= 0:
        found = extensions.get(lowered[at:])
        if found:
            return found
        at = lowered.find(".", at + 1)
    return ()


def _by_xml(file: _Known) -> Sequence[str]:
    beginning = b"\n".join(file.sample.split(b"\n", 2)[:2])
    return ("XML",) if not file.candidates and _XML.search(beginning) else ()


def _by_man_page(file: _Known) -> Sequence[str]:
    return ("Roff Manpage", "Roff") if _MAN_PAGE.search(file.name.lower()) else ()


def _by_content(file: _Known) -> Sequence[str]:
    _, dot, extension = file.name.lower().rpartition(".")
    return heuristics.languages_of(dot + extension, file.sample) if dot else ()


_STRATEGIES: Sequence[Callable[[_Known], Sequence[str]]] = (
    _by_modeline,
    _by_filename,
    _by_shebang,
    _by_extension,
    _by_xml,
    _by_man_page,
    _by_content,
)
