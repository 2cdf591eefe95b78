"""The data files: read when they are first asked for, and kept."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

_DATA = Path(__file__).parent.parent / "data"


class Language(NamedTuple):
    """A language of GitHub Linguist's list.

    type: programming, markup, data or prose. color: `#rrggbb`, or empty. group: the language that it is a
    part of, or empty.
    """

    name: str
    id: int
    type: str
    color: str
    group: str


class Names(NamedTuple):
    """Languages by what they are known by; each entry in alphabetical order."""

    aliases: Mapping[str, str]
    filenames: Mapping[str, Sequence[str]]
    extensions: Mapping[str, Sequence[str]]
    interpreters: Mapping[str, Sequence[str]]


@cache
def languages() -> Mapping[str, Language]:
    """Every language by its name."""
    return {
        name: Language(name, facts["id"], facts["type"], facts.get("color", ""), facts.get("group", ""))
        for name, facts in _languages().items()
    }


@cache
def names() -> Names:
    """How languages are found."""
    aliases: dict[str, str] = {}
    tables: dict[str, defaultdict[str, list[str]]] = {
        kind: defaultdict(list) for kind in ("filenames", "extensions", "interpreters")
    }
    for name, facts in sorted(_languages().items()):
        for alias in facts.get("aliases", ()):
            aliases.setdefault(alias_key(alias), name)
        for kind, table in tables.items():
            for key in facts.get(kind, ()):
                table[key.lower() if kind == "extensions" else key].append(name)
    # A language's own name wins over another one's alias.
    aliases |= {alias_key(name): name for name in _languages()}
    return Names(aliases, **tables)


def alias_key(text: str) -> str:
    """How aliases are compared (commit.md 4.2)."""
    return text.partition(",")[0].replace(" ", "_").lower()


@cache
def heuristics() -> Mapping[str, Sequence[Any]]:
    """By extension its rules: languages, and pairs of whether a match is wanted and patterns."""
    table: Mapping[str, Sequence[Any]] = load("heuristics.json")
    return table


@cache
def paths() -> Mapping[str, Sequence[str]]:
    """Patterns of paths, for `documentation` and `vendor`."""
    table: Mapping[str, Sequence[str]] = load("paths.json")
    return table


def load(name: str) -> Any:
    """The content of a data file in JSON."""
    return json.loads(read(name))


def read(name: str) -> bytes:
    """A data file."""
    return (_DATA / name).read_bytes()


@cache
def _languages() -> Mapping[str, Any]:
    table: Mapping[str, Any] = load("languages.json")
    return table
