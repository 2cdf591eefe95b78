"""What workers and the holder of the ledger tell each other; all tuples, so that any link carries them."""

from __future__ import annotations

from typing import NamedTuple

UNKNOWN = -1
"""The size of a pack that is still being made."""


class Seek(NamedTuple):
    """A worker wants a pack. number: of the question, new for its worker. Answered by Lead or Follow."""

    number: int
    key: str


class Began(NamedTuple):
    """A worker that leads has a file for the pack."""

    key: str
    path: str


class Completed(NamedTuple):
    """The pack is whole; also told to those who follow."""

    key: str
    size: int


class Gone(NamedTuple):
    """The pack is not to be had any more, whether it was whole or not; also told to those who follow."""

    key: str


class Follows(NamedTuple):
    """A worker reads what another makes, as a former ledger has told it. Gone, if nobody does."""

    key: str


class Left(NamedTuple):
    """A worker does not read what another makes any longer."""

    key: str


class Lead(NamedTuple):
    """The worker is to make the pack itself: nobody has it."""

    number: int


class Follow(NamedTuple):
    """Another worker has the pack. size: UNKNOWN while that makes it."""

    number: int
    path: str
    size: int


class Followed(NamedTuple):
    """To the worker that makes a pack: so many others read it."""

    key: str
    others: int


FromWorker = Seek | Began | Completed | Gone | Follows | Left
ToWorker = Lead | Follow | Followed | Completed | Gone
