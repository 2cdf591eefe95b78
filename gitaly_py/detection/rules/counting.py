"""Which files count for the languages of a repository, and as what (commit.md 4.1)."""

from __future__ import annotations

import hashlib

from gitaly_py.detection.rules import tables
from gitaly_py.detection.rules.attributes import Attributes
from gitaly_py.detection.rules.generated import is_generated
from gitaly_py.detection.rules.paths import is_documentation, is_vendored
from gitaly_py.detection.rules.strategies import language_of

_COUNTED = ("programming", "markup")
_GREY = "#cccccc"


class ContentNeeded(Exception):
    """What a file counts as can't be told without its content."""


def counted_language(path: bytes, attributes: Attributes, sample: bytes | None = None) -> str | None:
    """The language that the file at `path` counts for, or None if it does not count.

    sample: how the file begins. Raises ContentNeeded where it matters and is not given.
    """
    if _decided(attributes.documentation, is_documentation(path)):
        return None
    if _decided(attributes.vendored, is_vendored(path)):
        return None
    if attributes.generated or attributes.detectable is False:
        return None
    if attributes.generated is None and is_generated(path, _known(sample)):
        return None
    language = _language(path, attributes, sample)
    if attributes.detectable or language is None:
        return language
    known = tables.languages().get(language)
    return language if known is not None and known.type in _COUNTED else None


def color_of(name: str) -> str:
    """The colour of a language, `#rrggbb`; one made from its name where Linguist has none (commit.md 4)."""
    languages = tables.languages()
    language = languages.get(name)
    color = language.color if language else ""
    if not color and language and language.group in languages:
        color = languages[language.group].color
    if color in ("", _GREY):
        return "#" + hashlib.sha256(name.encode()).hexdigest()[:6]
    return color


def _decided(attribute: bool | None, otherwise: bool) -> bool:
    return otherwise if attribute is None else attribute


def _language(path: bytes, attributes: Attributes, sample: bytes | None) -> str | None:
    if attributes.language is None:
        return language_of(path, _known(sample))
    return tables.names().aliases.get(tables.alias_key(attributes.language), attributes.language)


def _known(sample: bytes | None) -> bytes:
    if sample is None:
        raise ContentNeeded
    return sample
