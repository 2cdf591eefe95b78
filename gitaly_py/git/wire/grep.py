"""Output of `git grep` with lines of context: groups of lines with a line `--` between them."""

from __future__ import annotations

from collections.abc import Iterator

_SEPARATOR = b"\n--\n"


class MatchSplitter:
    """Finds the groups of lines in output that arrives bit by bit.

    What it gives are pieces of at most `size` bytes of the present group, and None where a group ends. All
    pieces of a group but the last one have that size. It keeps little more than one of them.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes | None]:
        """What can be told with the next part of the output; to be used up before the one after it."""
        *groups, rest = (self._rest + data).split(_SEPARATOR)
        for group in groups:
            yield from self._whole(group + b"\n")
        # The end may turn out to be part of a separator, whose first byte belongs to the group.
        begin = 0
        while len(rest) - begin >= self._size + len(_SEPARATOR):
            yield rest[begin : begin + self._size]
            begin += self._size
        self._rest = rest[begin:]

    def end(self) -> Iterator[bytes | None]:
        """What is left at the end of the output."""
        rest, self._rest = self._rest, b""
        if rest:
            yield from self._whole(rest)

    def _whole(self, group: bytes) -> Iterator[bytes | None]:
        for begin in range(0, len(group), self._size):
            yield group[begin : begin + self._size]
        yield None
