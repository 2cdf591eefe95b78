"""Answers of git to requests for several parts."""

from __future__ import annotations

from collections.abc import Sequence

from gitaly_py.packs.advertising.lines import split

Data = bytes | memoryview
"""What is kept; a view keeps all of the bytes that it is a view of."""


class Answer:
    """A whole answer, in the pieces in which it came.

    It is put together and cut into parts no sooner than a part is asked for by itself, since that takes
    milliseconds for a long one. parts: what was asked for. hex_length: characters of an object id.
    """

    def __init__(self, pieces: Sequence[bytes], parts: Sequence[bytes], hex_length: int) -> None:
        self.pieces = pieces
        self.size = sum(map(len, pieces))
        self._parts = parts
        self._hex_length = hex_length
        self._cut: dict[bytes, Data] = {}

    def whole(self) -> bytes:
        """All of it, put together once."""
        if len(self.pieces) > 1:
            self.pieces = (b"".join(self.pieces),)
        return self.pieces[0]

    def part(self, part: bytes) -> Data:
        """The packets of one of the parts."""
        if not self._cut:
            whole = self.whole()
            self._cut = dict(zip(self._parts, split(whole, self._parts, self._hex_length), strict=True))
        return self._cut[part]


class Cut:
    """A part of an answer."""

    def __init__(self, answer: Answer, part: bytes) -> None:
        self._answer = answer
        self._part = part

    @property
    def size(self) -> int:
        """Bytes of the whole answer, which is kept as long as this is."""
        return self._answer.size

    @property
    def pieces(self) -> Sequence[Data]:
        """What there is to be sent."""
        return (self._answer.part(self._part),)
