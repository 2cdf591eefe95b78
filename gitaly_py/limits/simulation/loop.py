"""An event loop whose time is made up: it moves on only when nothing is left to do at the moment."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

_DIGITS: Final = 6


def moment(seconds: float) -> float:
    """`seconds` to the microsecond, so that moments which are the same compare as the same."""
    return round(seconds, _DIGITS)


class _Time(selectors.BaseSelector):
    """Moves time on where another selector would wait; never has anything to report."""

    def __init__(self, moving: Callable[[float], None]) -> None:
        self.now = 0.0
        self._moving = moving
        self._files: dict[FileDescriptorLike, selectors.SelectorKey] = {}

    def register(
        self, fileobj: FileDescriptorLike, events: int, data: object = None
    ) -> selectors.SelectorKey:
        descriptor = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        key = self._files[fileobj] = selectors.SelectorKey(fileobj, descriptor, events, data)
        return key

    def unregister(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
        return self._files.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("nothing is left that could ever happen")
        if timeout > 0:
            self._moving(self.now)
            self.now = moment(self.now + timeout)
        return []

    def get_map(self) -> Mapping[FileDescriptorLike, selectors.SelectorKey]:
        return self._files


class VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio's own event loop, tasks and futures, without the waiting and without input and output.

    It begins at 0 s. moving: called before time moves on, with the moment that is over. Timers are to be set
    for a `moment`.
    """

    def __init__(self, moving: Callable[[float], None]) -> None:
        self._virtual = _Time(moving)
        super().__init__(self._virtual)

    def time(self) -> float:
        """Seconds since the beginning, to the microsecond."""
        return self._virtual.now


class VirtualClock:
    """The time of a VirtualLoop, for a limiter (see Clock)."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now(self) -> float:
        """See Clock."""
        return self._loop.time()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """See Clock."""
        return self._loop.call_at(moment(self._loop.time() + seconds), callback)
