"""What is loose of some references, and the state in which that was read."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Final, NamedTuple

from gitaly_py.git.reading.names import is_safe_name
from gitaly_py.git.reading.refstate import MAX_WATCHED, ReferenceState, TooManyFiles
from gitaly_py.git.wire.objects import OBJECT_FORMATS
from gitaly_py.packs.advertising.configuration import Facts
from gitaly_py.packs.advertising.wanted import HEAD, HIDDEN

_FEW: Final = 100
"""So many entries of folders are read within about a millisecond; more are read in a thread."""

_DEEPEST_SYMREF: Final = 5
"""Names in a chain of symbolic references; git's SYMREF_MAXDEPTH."""
_MANY_SYMREFS: Final = 100

_VALUES: Final = {
    name: re.compile(rb"([0-9a-f]{%d})\n?" % known.hex_length) for name, known in OBJECT_FORMATS.items()
}
_SYMBOLIC: Final = re.compile(rb"ref: (refs/[^\n]+)\n?")


class Symbolic(NamedTuple):
    """Where a chain of symbolic references ends. oid: None if nothing is there."""

    target: bytes
    oid: str | None


class Survey:
    """The loose references of one part of an answer.

    state: what that part depends on. values: of plain references. links: symbolic ones, once `follow` was
    called. plain: whether git, too, would take all of them for just that.
    """

    def __init__(self, repository_path: str, facts: Facts) -> None:
        self.state = ReferenceState(repository_path, facts.backend)
        self.values: dict[bytes, str] = {}
        self.links: dict[bytes, Symbolic] = {}
        self.plain = True
        self._others: dict[bytes, bytes] = {}
        self._value = _VALUES[facts.object_format]

    def add(self, name: bytes) -> None:
        """Reads a loose reference; one that vanishes meanwhile is deleted, or packed by now."""
        content = self.state.read(name)
        if content is None:
            return
        value = self._value.fullmatch(content)
        if value is not None and is_safe_name(name):
            self.values[name] = value[1].decode("ascii")
        else:
            self._others[name] = content

    def give_up(self) -> None:
        """There is more than can be looked at."""
        self.plain = False
        self.state.distrust()

    def follow(self, packed: Callable[[bytes], str | None]) -> None:
        """Looks at where symbolic references lead. packed: finds a value in packed-refs."""
        if len(self._others) > _MANY_SYMREFS:
            self.give_up()
            return
        for name, content in self._others.items():
            link = self._followed(content, packed) if is_safe_name(name) else None
            if link is not None:
                self.links[name] = link
                continue
            self.plain = False
            if content.startswith(b"ref:"):
                self.state.distrust()
        self._others.clear()

    def _followed(self, content: bytes, packed: Callable[[bytes], str | None]) -> Symbolic | None:
        for _ in range(_DEEPEST_SYMREF - 1):
            link = _SYMBOLIC.fullmatch(content)
            if link is None or not is_safe_name(link[1]):
                return None
            self.state.watch(link[1])
            found = self.state.read(link[1])
            if found is None:
                return Symbolic(link[1], packed(link[1]))
            if value := self._value.fullmatch(found):
                return Symbolic(link[1], value[1].decode("ascii"))
            content = found
        return None


async def survey(repository_path: str, facts: Facts, part: bytes) -> Survey:
    """Reads what is loose of a part; `Survey.follow` is still to be called."""
    found = Survey(repository_path, facts)
    if facts.backend == "reftable":
        # Nothing is loose there, and HEAD is no more than a sign that this is a repository.
        return found
    try:
        try:
            _fill(found, part, _FEW)
        except TooManyFiles:
            found = Survey(repository_path, facts)
            await asyncio.to_thread(_fill, found, part, MAX_WATCHED)
    except (OSError, TooManyFiles):
        # Git can say what is wrong, and takes what is too much for us.
        found.give_up()
    return found


def _fill(found: Survey, part: bytes, at_most: int) -> None:
    if part == HEAD:
        found.state.watch(HEAD)
        found.add(HEAD)
        return
    for name in found.state.walk(part, without=HIDDEN, at_most=at_most):
        found.add(name)
