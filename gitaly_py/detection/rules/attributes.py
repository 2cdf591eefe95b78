"""What `.gitattributes` say about a file's language (commit.md 4.1)."""

from __future__ import annotations

from typing import NamedTuple


class Attributes(NamedTuple):
    """A file's attributes `linguist-*`: set or unset, None for everything else.

    language: the value of `linguist-language`, None if it is not specified.
    """

    documentation: bool | None = None
    vendored: bool | None = None
    generated: bool | None = None
    detectable: bool | None = None
    language: str | None = None
