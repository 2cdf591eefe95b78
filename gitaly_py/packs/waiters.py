"""Callbacks of those who wait for the same thing."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import Final

from gitaly_py.packs.flow import Callback

TURN: Final = 16
"""Callbacks in a turn of the event loop: each of them sends at once what has come."""


class Waiters:
    """Calls each callback once, from the event loop, in turns when there are many."""

    def __init__(self) -> None:
        self._waiting: dict[object, Callback] = {}
        self._due: dict[object, Callback] = {}

    def put(self, waiter: object, callback: Callback | None) -> None:
        """Sets the callback of a waiter; None takes it back."""
        self._due.pop(waiter, None)
        if callback is None:
            self._waiting.pop(waiter, None)
        else:
            self._waiting[waiter] = callback

    def wake(self) -> None:
        """Calls back those who wait now."""
        if self._waiting and not self._due:
            asyncio.get_running_loop().call_soon(self._call_some)
        self._due.update(self._waiting)
        self._waiting.clear()

    def _call_some(self) -> None:
        try:
            for waiter in list(islice(self._due, TURN)):
                # One callback may take another one back.
                callback = self._due.pop(waiter, None)
                if callback is not None:
                    callback()
        finally:
            # Whatever happens to one of them, the others are called.
            if self._due:
                asyncio.get_running_loop().call_soon(self._call_some)
