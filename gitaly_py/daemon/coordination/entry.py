"""The coordinator, from its first line to its end.

One that takes the place of another hears from the workers what they hold, and gives nothing to anybody before
all of them have said so: a slot is not given twice, nor a pack made twice.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Any, Final

import structlog
import uvloop

from gitaly_py.daemon.coordination.messages import Apply, Ask, Orders, Resize, Resumed, States
from gitaly_py.daemon.processes.link import Link, LinkBroken, receive_first
from gitaly_py.git.priority import come_first
from gitaly_py.limits.desk import Acquire, Desk, Holds, Leave, Waits
from gitaly_py.packs.leases.ledger import Ledger
from gitaly_py.packs.leases.messages import Began, Completed
from gitaly_py.telemetry import logs

_log = structlog.get_logger("gitaly")

_LONGEST_RESUMING: Final = 1.0
"""Seconds after which workers that have not come are not waited for: they have ended, or hang."""

_LIMITING: Final = frozenset({Acquire, Leave, Holds, Waits})
_HELD: Final = frozenset({Holds, Began, Completed})


def coordinate(sock: socket.socket) -> int:
    """Coordinates workers until the supervisor is gone; the exit status.

    sock: this process's end of its link to the supervisor.
    """
    come_first()
    try:
        orders, [listener] = receive_first(sock)
    except LinkBroken:
        return 1
    logs.configure(orders.logging.format, orders.logging.level)
    uvloop.run(_Coordinating(orders, socket.socket(fileno=listener)).run(sock))
    logs.flush()
    return 0


class _Coordinating:
    """What workers share, and those who are here."""

    def __init__(self, orders: Orders, listener: socket.socket) -> None:
        self.desk = Desk()
        self.desk.apply(orders.limits)
        self.ledger = Ledger()
        self.is_open = not orders.expected
        self._missing = orders.expected
        self._listener = listener
        self._visits: set[_Visit] = set()
        self._over = asyncio.Event()

    async def run(self, sock: socket.socket) -> None:
        """Until the other end of `sock` is gone."""
        self._link = Link(sock, self._receive, self._over.set)
        loop = asyncio.get_running_loop()
        loop.add_reader(self._listener.fileno(), self._accept)
        if not self.is_open:
            loop.call_later(_LONGEST_RESUMING, self._give_up)
        await self._over.wait()

    def resumed(self, *, again: bool) -> None:
        """A worker has said what it holds. again: it is one of those that were there before."""
        self._missing -= again
        if self._missing <= 0:
            self._open()

    def left(self, visit: _Visit) -> None:
        """A worker has ended."""
        self._visits.discard(visit)

    def _accept(self) -> None:
        with suppress(BlockingIOError):
            while True:
                sock, _ = self._listener.accept()
                self._visits.add(_Visit(self, sock))

    def _give_up(self) -> None:
        if not self.is_open:
            _log.warning("workers did not say what they hold", workers=self._missing)
            self._open()

    def _open(self) -> None:
        if not self.is_open:
            self.is_open = True
            visits = list(self._visits)
            # Those who had a place in line have it before anybody who has come since.
            for visit in visits:
                visit.resume()
            for visit in visits:
                visit.open()

    def _receive(self, message: Any) -> None:
        match message:
            case Apply(limits):
                self.desk.apply(limits)
            case Resize(limiter, limit):
                self.desk.resize(limiter, limit)
            case Ask(number):
                self._link.send(States(number, self.desk.states()))


class _Visit:
    """A worker, as long as it is connected."""

    def __init__(self, host: _Coordinating, sock: socket.socket) -> None:
        self._host = host
        self._link = Link(sock, self._receive, self._lost)
        self._visitor = host.desk.visitor(self._link.send)
        self._reader = host.ledger.reader(self._link.send)
        self._early: list[Any] | None = None if host.is_open else []
        self._waiting: list[Waits] = []

    def resume(self) -> None:
        """Puts those in line who were in line at a former coordinator."""
        waiting, self._waiting = self._waiting, []
        for message in waiting:
            self._take(message)

    def open(self) -> None:
        """Takes what had to wait until all have said what they hold."""
        early, self._early = self._early or [], None
        for message in early:
            self._take(message)

    def _receive(self, message: Any) -> None:
        kind = type(message)
        if kind is Resumed:
            self._host.resumed(again=message.again)
        elif self._early is not None and kind is Waits:
            self._waiting.append(message)
        elif self._early is not None and kind not in _HELD:
            self._early.append(message)
        else:
            self._take(message)

    def _take(self, message: Any) -> None:
        if type(message) in _LIMITING:
            self._visitor.receive(message)
        else:
            self._reader.receive(message)

    def _lost(self) -> None:
        self._visitor.close()
        self._reader.close()
        self._host.left(self)
