"""What a browser or a reader finds in an HTML document."""

from __future__ import annotations

from collections import Counter
from html.parser import HTMLParser

_VOID = {"meta", "link", "img", "br", "input", "hr"}


class Document(HTMLParser):
    """A document. elements: how many there are of each kind; attributes: the names of those that they have.

    tables: rows of cell texts, headings included, by the id of the section; texts: by the id of an element,
    with all that is in it.
    """

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.scopes: list[str | None] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.texts: dict[str, str] = {}
        self._open: list[tuple[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.elements[tag] += 1
        self.attributes |= set(found)
        if tag not in _VOID:
            self._open.append((tag, found.get("id") or ""))
        section = next((name for kind, name in reversed(self._open) if kind == "section"), "")
        if tag == "tr":
            self.tables.setdefault(section, []).append([])
        elif tag in ("th", "td"):
            self.tables[section][-1].append("")
        if tag == "th":
            self.scopes.append(found.get("scope"))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for _, name in self._open:
            if name:
                self.texts[name] = self.texts.get(name, "") + data
        section = next((name for kind, name in reversed(self._open) if kind == "section"), "")
        if any(kind in ("th", "td") for kind, _ in self._open):
            self.tables[section][-1][-1] += data

    def rows(self, section: str) -> list[dict[str, str]]:
        """The rows of a table, by the titles of their columns."""
        head, *rows = self.tables[section]
        return [dict(zip(head, row, strict=True)) for row in rows]

    def row(self, section: str, first: str) -> dict[str, str]:
        """The one row that begins so."""
        (found,) = [row for row in self.rows(section) if next(iter(row.values())) == first]
        return found
