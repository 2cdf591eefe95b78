"""The text of a file in a markup language (repository.md FindLicense)."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_HIDDEN = ("head", "script", "style", "template")
_INLINE = frozenset(
    ("a", "abbr", "b", "code", "em", "font", "i", "kbd", "small", "span", "strong", "sub", "sup", "tt", "u")
)

_MARKDOWN = (
    (re.compile(r"!?\[([^\]\n]{0,500})\]\([^)\n]{0,2000}\)"), r"\1"),
    (re.compile(r"^ {0,3}\[[^\]\n]+\]:.*$", re.MULTILINE), ""),
    (re.compile(r"^ {0,3}(?:#{1,6}|>+)[ \t]*", re.MULTILINE), ""),
    (re.compile(r"(?<![\w\\])[*_`]{1,3}(?=\S)|(?<=[^\s\\])[*_`]{1,3}(?!\w)"), ""),
    (re.compile(r"\\([!-/:-@\[-`{-~])"), r"\1"),
)
_RST = (
    (re.compile(r"`([^`<\n]*)<[^>`\n]*>`__?"), r"\1"),
    (re.compile(r"^\.\.(?: .*)?$", re.MULTILINE), ""),
    (re.compile(r"(?<!\w)(?::\w+:)?[*`]{1,2}(?=\S)|(?<=\S)[*`]{1,2}_{0,2}(?!\w)"), ""),
)


def plain_text(name: str, text: str) -> str:
    """`text` without markup, which the ending of `name` tells: `.md`, `.rst` or `.html`."""
    lowered = name.lower()
    if lowered.endswith(".html"):
        return _without_tags(text)
    if lowered.endswith(".md"):
        return _without_tags(_replaced(_MARKDOWN, text))
    if lowered.endswith(".rst"):
        return _replaced(_RST, text)
    return text


def _replaced(rules: tuple[tuple[re.Pattern[str], str], ...], text: str) -> str:
    for pattern, replacement in rules:
        text = pattern.sub(replacement, text)
    return text


def _without_tags(text: str) -> str:
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return "".join(reader.found)


class _Reader(HTMLParser):
    """Collects what a reader sees. Tags that it can't know, such as `<year>`, are placeholders in a text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HIDDEN:
            self._hidden += 1
        elif tag not in _INLINE:
            self.found.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        elif tag not in _INLINE:
            self.found.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.found.append(data)
