"""Sockets whose bytes are counted and thrown away, and the fetches that are measured by them."""

from __future__ import annotations

import mmap
import socket
import time
from dataclasses import dataclass
from typing import BinaryIO

from benchmarks.packs.calls import Broken
from benchmarks.packs.requests import Request

TURN_BYTES = 1 << 20
"""Taken from a connection before it is another's turn."""

_READ_BYTES = 1 << 16


@dataclass(eq=False)
class Fetch:
    """A call under way. started, first (byte of interest), ended: by time.perf_counter.

    keep: where the answer goes, or None. received: bytes of the answer. opened, finished: its side channel
    was, and has come to its end. answered: the call has ended.
    """

    request: Request
    keep: BinaryIO | None = None
    started: float = 0.0
    first: float = 0.0
    ended: float = 0.0
    received: int = 0
    call: int = 0
    opened: bool = False
    finished: bool = False
    answered: bool = False


class Discarding:
    """A connection to `unix:PATH` or `tcp://HOST:PORT`. Over TCP the kernel throws away (MSG_TRUNC)."""

    def __init__(self, address: str) -> None:
        unix = address.startswith("unix:")
        self.socket = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        if unix:
            self.socket.connect(address.removeprefix("unix:"))
        else:
            host, _, port = address.removeprefix("tcp://").rpartition(":")
            self.socket.connect((host, int(port)))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._flags = socket.MSG_DONTWAIT | (0 if unix else socket.MSG_TRUNC)
        # Over TCP nothing is ever written to it. What a unix socket gives is to stay in a processor's cache.
        self._bin = mmap.mmap(-1, 1 << 18 if unix else TURN_BYTES)

    def discard(self, limit: int) -> int:
        """Throws away at most `limit` bytes; how many. Raises BlockingIOError, Broken."""
        count = self.socket.recv_into(self._bin, min(limit, len(self._bin)), self._flags)
        if not count:
            raise Broken("connection closed")
        return count

    def take(self, limit: int) -> bytes:
        """At most `limit` bytes. Raises as `discard`."""
        data = self.socket.recv(min(limit, _READ_BYTES), socket.MSG_DONTWAIT)
        if not data:
            raise Broken("connection closed")
        return data

    def close(self) -> None:
        self.socket.close()
        self._bin.close()


class Plain:
    """A connection to the bare server, which sends its file for each byte it gets. size: of the file."""

    def __init__(self, address: str, size: int) -> None:
        self._wire = Discarding(address)
        self.socket = self._wire.socket
        self._size = size
        self._fetches: list[Fetch] = []

    def begin(self, fetch: Fetch) -> None:
        """Asks for the file once more."""
        fetch.started = time.perf_counter()
        self._fetches.append(fetch)
        self.socket.sendall(b"\n")

    def receive(self) -> list[Fetch]:
        """Takes what has come, or a turn's share of it; the fetches that have ended. Raises Broken."""
        done: list[Fetch] = []
        budget = TURN_BYTES
        while budget > 0 and self._fetches:
            fetch = self._fetches[0]
            try:
                count = self._wire.discard(self._size - fetch.received)
            except BlockingIOError:
                break
            now = time.perf_counter()
            fetch.first = fetch.first or now
            fetch.received += count
            budget -= count
            if fetch.received == self._size:
                fetch.ended = now
                done.append(self._fetches.pop(0))
        return done

    def verify(self) -> None:
        """Nothing can be wrong."""

    def close(self) -> None:
        self._wire.close()
