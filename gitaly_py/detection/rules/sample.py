"""The beginning of a file, as rules about generated files look at it."""

from __future__ import annotations

from functools import cached_property


class Sample:
    """The beginning of a file. path: its path in lower case; content: the bytes."""

    def __init__(self, path: bytes, content: bytes) -> None:
        self.path = path
        self.content = content

    @cached_property
    def lines(self) -> list[bytes]:
        """The lines without their newlines; the last one may be without from the start."""
        pieces = self.pieces
        return pieces if pieces[-1] else pieces[:-1]

    @cached_property
    def pieces(self) -> list[bytes]:
        """What is between newlines: after a final newline there is an empty piece."""
        return self.content.split(b"\n")

    def line(self, number: int) -> bytes:
        """The line of that number, the first being 1; empty when there is none."""
        return self.lines[number - 1] if number <= len(self.lines) else b""
