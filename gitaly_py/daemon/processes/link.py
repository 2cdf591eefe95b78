"""The socket between two processes of the daemon: whole messages in both directions.

Both ends run the same program, so messages are pickled, each behind its length. Those that are `quick` are
marshalled, which takes a fraction of the time.
"""

from __future__ import annotations

import asyncio
import marshal
import pickle
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

_LENGTH: Final = struct.Struct("!I")
_RECEIVED_AT_ONCE: Final = 64 * 1024
_MOST_DESCRIPTORS: Final = 64


_PICKLED: Final = pickle.PROTO[0]
_numbers: Final[dict[type, int]] = {}
_quick: Final[list[type[NamedTuple]]] = []


def quick(*kinds: type[NamedTuple]) -> None:
    """Names messages that hold nothing but numbers and text, and that somebody waits for.

    To be called by both ends, in the same order.
    """
    for kind in kinds:
        _numbers[kind] = len(_quick)
        _quick.append(kind)


class LinkBroken(Exception):
    """The other end is gone."""


class Link:
    """One end, within an event loop.

    receive: called with each message. lost: called once, when the other end is gone.
    """

    def __init__(self, sock: socket.socket, receive: Callable[[Any], None], lost: Callable[[], None]) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._receive = receive
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._buffer = memoryview(bytearray(_RECEIVED_AT_ONCE))
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self._is_waiting = False
        self._is_posted = False
        self._open = True
        self._loop.add_reader(sock.fileno(), self._readable)

    def send(self, message: object) -> None:
        """Sends a message, at once if the other end takes it; to an end that is gone it is lost."""
        if not self._open:
            return
        self._outgoing += _packed(message)
        if not self._is_waiting:
            self._flush()

    def post(self, message: object) -> None:
        """Sends a message that nobody waits for, with all others of this turn of the event loop."""
        if self._open:
            self._outgoing += _packed(message)
            if not self._is_posted:
                self._is_posted = True
                self._loop.call_soon(self._flush_posted)

    def take(self) -> None:
        """Receives what has come, before the event loop looks for it."""
        if self._open:
            self._readable()

    def drop(self) -> None:
        """The other end is gone: takes what it has sent before, and closes."""
        while self._open and self._readable():
            pass
        self.close()

    def close(self) -> None:
        """Sends what is left, if that goes at once, and closes."""
        if self._open:
            self._flush()
        if self._open:
            self._open = False
            self._loop.remove_reader(self._sock.fileno())
            self._loop.remove_writer(self._sock.fileno())
            self._sock.close()

    def _flush_posted(self) -> None:
        self._is_posted = False
        if not self._is_waiting:
            self._flush()

    def _flush(self) -> None:
        if not self._open:
            return
        if self._is_waiting:
            self._loop.remove_writer(self._sock.fileno())
        try:
            while self._outgoing:
                del self._outgoing[: self._sock.send(self._outgoing)]
        except BlockingIOError:
            self._is_waiting = True
            self._loop.add_writer(self._sock.fileno(), self._flush)
            return
        except OSError:
            self._outgoing.clear()
        self._is_waiting = False

    def _readable(self) -> bool:
        """Takes what has come; whether there was anything."""
        try:
            size = self._sock.recv_into(self._buffer)
        except BlockingIOError:
            return False
        except OSError:
            size = 0
        if not size:
            self.close()
            self._lost()
            return False
        if not self._incoming and size > _LENGTH.size and _length(self._buffer) == size:
            # One message, and all of it: so most of those come that somebody waits for.
            self._receive(_unpacked(self._buffer[_LENGTH.size : size]))
            return True
        self._incoming += self._buffer[:size]
        for message in _taken(self._incoming):
            self._receive(message)
        return True


def send_first(sock: socket.socket, message: object, descriptors: Sequence[int]) -> None:
    """Sends the first message, with descriptors, before there is an event loop at the other end."""
    data = _packed(message)
    # However long the message is: the other end reads as soon as it runs.
    sent = socket.send_fds(sock, [data], descriptors)
    sock.sendall(memoryview(data)[sent:])


def receive_first(sock: socket.socket) -> tuple[Any, list[int]]:
    """The other end of `send_first`. Raises LinkBroken."""
    data, descriptors, _, _ = socket.recv_fds(sock, _LENGTH.size, _MOST_DESCRIPTORS)
    incoming = bytearray(data)
    while data:
        for message in _taken(incoming):
            return message, descriptors
        data = sock.recv(_length(incoming) - len(incoming))
        incoming += data
    raise LinkBroken


def _packed(message: Any) -> bytes:
    number = _numbers.get(type(message))
    if number is None:
        data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    else:
        data = marshal.dumps((number, tuple(message)))
    return _LENGTH.pack(len(data)) + data


def _unpacked(data: memoryview) -> Any:
    if data[0] == _PICKLED:
        return pickle.loads(data)
    number, fields = marshal.loads(data)
    return tuple.__new__(_quick[number], fields)


def _length(incoming: bytearray | memoryview) -> int:
    """Bytes of the first message with its length, as far as is known."""
    if len(incoming) < _LENGTH.size:
        return _LENGTH.size
    return _LENGTH.size + int(_LENGTH.unpack_from(incoming)[0])


def _taken(incoming: bytearray) -> list[Any]:
    """Takes whole messages out of what has come."""
    messages = []
    while len(incoming) >= (length := _length(incoming)) > _LENGTH.size:
        messages.append(_unpacked(memoryview(incoming)[_LENGTH.size : length]))
        del incoming[:length]
    return messages


def pair() -> tuple[socket.socket, socket.socket]:
    """Both ends, the first one ours. Neither is inherited by others."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with suppress(OSError):
        # What does not fit waits; a larger buffer makes that rare.
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    return ours, theirs
