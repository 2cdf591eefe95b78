"""Keys that mean nothing: they are ignored, but the operator is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, get_args

from gitaly_py.config.section import Section, key_of
from gitaly_py.config.tree import UnknownKey

_LIKENESS = 0.82
"""From which ratio on one key passes for a slip of the pen for another."""


def unknown_keys(source: Mapping[str, Any], section: type[Section], prefix: str = "") -> Iterator[UnknownKey]:
    """The keys of `source` that `section` and those in it don't have, dotted, in the order of `source`."""
    fields = {key_of(name, section): name for name in section.model_fields}
    for key, value in source.items():
        if key not in fields:
            nearest = get_close_matches(key, fields, n=1, cutoff=_LIKENESS)
            yield UnknownKey(prefix + key, prefix + nearest[0] if nearest else None)
        elif inner := section_in(section.model_fields[fields[key]].annotation):
            for entry in value if isinstance(value, list) else [value]:
                if isinstance(entry, Mapping):
                    yield from unknown_keys(entry, inner, f"{prefix}{key}.")


def section_in(annotation: Any) -> type[Section] | None:
    """The section that a field holds: itself, in a list, or optionally."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((section for part in get_args(annotation) if (section := section_in(part))), None)
