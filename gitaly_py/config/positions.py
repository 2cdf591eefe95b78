"""Where in a TOML text a value stands; tomllib gives values only.

The text is known to be valid, so nothing is checked again: what is not the mark being looked for is skipped.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*'""")
_SCALAR = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}(?!")'
    r"|'''.*?'{3,5}(?!')"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r"|[^,\]}#\n]*[^,\]}#\s]",
    re.DOTALL,
)


def position(text: str, path: Path) -> tuple[int, int] | None:
    """Line and column, from 1, of the value at `path` (keys, and numbers for entries of lists).

    What does not stand in the text itself has the position of what it is in.
    """
    offsets = _Scan(text).offsets()
    while path:
        if path in offsets:
            before = text[: offsets[path]]
            return before.count("\n") + 1, len(before) - before.rfind("\n")
        path = path[:-1]
    return None


class _Scan:
    """One pass over a text, noting at which offset the value of each path begins."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._offsets: dict[Path, int] = {}
        self._lengths: dict[Path, int] = {}

    def offsets(self) -> dict[Path, int]:
        table: Path = ()
        while self._skip_blank():
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._assignment(table)
        return self._offsets

    def _header(self) -> Path:
        start, is_list = self._at, self._text.startswith("[[", self._at)
        self._at += 2 if is_list else 1
        keys = self._dotted_key()
        self._at = self._text.index("]", self._at) + (2 if is_list else 1)
        path: Path = ()
        for key in keys[:-1]:
            path = self._last_entry((*path, key))
        path = (*path, keys[-1])
        if is_list:
            self._lengths[path] = self._lengths.get(path, 0) + 1
        path = self._last_entry(path)
        self._offsets[path] = start
        return path

    def _last_entry(self, path: Path) -> Path:
        return (*path, self._lengths[path] - 1) if path in self._lengths else path

    def _assignment(self, table: Path) -> None:
        path = (*table, *self._dotted_key())
        self._at = self._text.index("=", self._at) + 1
        self._value(path)

    def _dotted_key(self) -> list[str]:
        keys: list[str] = []
        while True:
            self._skip_blank()
            match = _KEY.match(self._text, self._at)
            if match is None:
                return keys
            keys.append(_plain(match[0]))
            self._at = match.end()
            self._skip_blank()
            if not self._text.startswith(".", self._at):
                return keys
            self._at += 1

    def _value(self, path: Path) -> None:
        self._skip_blank()
        self._offsets[path] = self._at
        opening = self._text[self._at]
        if opening == "[":
            self._list(path)
        elif opening == "{":
            self._inline_table(path)
        elif match := _SCALAR.match(self._text, self._at):
            self._at = match.end()

    def _list(self, path: Path) -> None:
        self._at += 1
        index = 0
        while not self._closed("]"):
            self._value((*path, index))
            index += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        while not self._closed("}"):
            self._assignment(path)

    def _closed(self, mark: str) -> bool:
        """Goes past a comma and blanks; whether `mark` follows, which it passes as well."""
        self._skip_blank()
        if self._text.startswith(",", self._at):
            self._at += 1
            self._skip_blank()
        if not self._text.startswith(mark, self._at):
            return False
        self._at += 1
        return True

    def _skip_blank(self) -> bool:
        match = _BLANK.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at < len(self._text)


def _plain(key: str) -> str:
    if key[0] not in "\"'":
        return key
    parsed: dict[str, Any] = tomllib.loads(f"key = {key}")
    return str(parsed["key"])
