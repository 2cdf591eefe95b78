"""Keys that mean nothing: they are ignored, but the operator is told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, get_args

from gitaly_py.config.section import Section, key_of
from gitaly_py.config.tree import UnknownKey

_LIKENESS = 0.82
"""From which ratio on one key passes for a slip of the pen for another."""


def unknown_keys(source: Mapping[str, Any], section: type[Section]) -> Iterator[UnknownKey]:
    """The keys of `source` that `section` and those in it don't have, dotted, in the order of `source`.

    The nearest key is one of the same table that is spelt alike, else the only one of that name in any table:
    what is meant for the top level easily ends up below the header of a table.
    """
    return _unknown(source, section, "", _places(section))


def _unknown(
    source: Mapping[str, Any], section: type[Section], prefix: str, places: Mapping[str, list[str]]
) -> Iterator[UnknownKey]:
    fields = {key_of(name, section): name for name in section.model_fields}
    for key, value in source.items():
        if key not in fields:
            yield UnknownKey(prefix + key, _nearest(key, fields, prefix, places))
        elif inner := section_in(section.model_fields[fields[key]].annotation):
            for entry in value if isinstance(value, list) else [value]:
                if isinstance(entry, Mapping):
                    yield from _unknown(entry, inner, f"{prefix}{key}.", places)


def _nearest(key: str, siblings: Iterable[str], prefix: str, places: Mapping[str, list[str]]) -> str | None:
    if alike := get_close_matches(key, siblings, n=1, cutoff=_LIKENESS):
        return prefix + alike[0]
    elsewhere = places.get(key, [])
    return elsewhere[0] if len(elsewhere) == 1 else None


def _places(section: type[Section]) -> dict[str, list[str]]:
    """The dotted paths at which each key stands."""
    places: dict[str, list[str]] = {}
    for path in _paths(section, ""):
        places.setdefault(path.rpartition(".")[2], []).append(path)
    return places


def _paths(section: type[Section], prefix: str) -> Iterator[str]:
    for name, field in section.model_fields.items():
        path = prefix + key_of(name, section)
        yield path
        if inner := section_in(field.annotation):
            yield from _paths(inner, f"{path}.")


def section_in(annotation: Any) -> type[Section] | None:
    """The section that a field holds: itself, in a list, or optionally."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((section for part in get_args(annotation) if (section := section_in(part))), None)
