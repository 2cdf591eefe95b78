"""A worker's way to the coordinator and, when that is replaced, to the next one."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import Any, Final

import structlog

from gitaly_py.daemon.coordination.messages import Resumed
from gitaly_py.daemon.processes.link import Link
from gitaly_py.limits.desk import Dropped, Entered, Queued
from gitaly_py.limits.remote import RemoteDesk
from gitaly_py.packs.leases.client import Leases

_log = structlog.get_logger("gitaly")

_LIMITING: Final = frozenset({Queued, Entered, Dropped})


class Line:
    """Limiters and packs of all workers, as one of them sees them.

    path: of the coordinator's socket. The supervisor listens there, so that whoever connects while there is
    no coordinator waits for the next one. Raises OSError.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._link = self._linked()
        self.desk = RemoteDesk(self._link)
        self.leases = Leases(self._link.send)
        self._link.send(Resumed(again=False))

    def close(self) -> None:
        """Ends it. Those who wait for a slot get DeskLost."""
        self._link.close()
        self.desk.close()

    def _linked(self) -> Link:
        with ExitStack() as unused:
            sock = unused.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            sock.connect(self._path)
            unused.pop_all()
        return Link(sock, self._receive, self._lost)

    def _receive(self, message: Any) -> None:
        if type(message) in _LIMITING:
            self.desk.receive(message)
        else:
            self.leases.receive(message)

    def _lost(self) -> None:
        try:
            self._link = self._linked()
        except OSError as error:
            _log.error("the coordinator is gone", error=str(error))
            self.desk.close()
            return
        self.desk.resume(self._link)
        self.leases.resume(self._link.send)
        self._link.send(Resumed(again=True))
