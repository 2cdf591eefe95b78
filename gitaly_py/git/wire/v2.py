"""Requests of protocol version 2: capabilities with the command among them, then its arguments.

    request = *(capability LF) [delimiter *(argument LF)] flush        (gitprotocol-v2)

What git itself would refuse to read is refused here, too (git's serve.c).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from gitaly_py.git.wire.errors import MalformedPacket, MalformedRequest
from gitaly_py.git.wire.pktline import DELIMITER, FLUSH, Incomplete, Kind, Packet, decode
from gitaly_py.git.wire.pktline import encode as packet

MAX_REQUEST: Final = 16 << 20
"""Bytes of the longest request that is parsed: one has a line for each object the client has."""

_COMMAND: Final = b"command="
_ERROR: Final = b"ERR "


class Request(NamedTuple):
    """One request. Lines are without the newline that may end them.

    command: empty in a request of nothing but a flush, by which the client says that it is done.
    capabilities: the other lines before the delimiter. arguments: those behind it.
    """

    command: bytes
    capabilities: tuple[bytes, ...] = ()
    arguments: tuple[bytes, ...] = ()


class Parsed(NamedTuple):
    """A request, and the offset behind it."""

    request: Request
    end: int


def parse(data: bytes, offset: int = 0, *, limit: int = MAX_REQUEST) -> Parsed | Incomplete:
    """The request that begins at `offset`; limit: its bytes. Raises MalformedRequest."""
    sections: list[list[bytes]] = [[]]
    at = offset
    while True:
        found = _packet(data, at)
        if isinstance(found, Incomplete):
            _check_size(len(data) + found.needed - offset, limit)
            return found
        at = found.end
        _check_size(at - offset, limit)
        if found.kind is Kind.FLUSH:
            return Parsed(_request(*sections), at)
        if found.kind is Kind.DATA:
            sections[-1].append(_line(found.payload))
        elif found.kind is Kind.DELIMITER and len(sections) == 1:
            sections.append([])
        else:
            raise MalformedRequest(f"unexpected {found.kind.value} packet")


def encode(request: Request) -> bytes:
    """The bytes of a request, its command first. Raises MalformedPacket for a line that is too long."""
    return b"".join(_encoded(request))


def _encoded(request: Request) -> Iterator[bytes]:
    if request.command:
        yield packet(_COMMAND + request.command + b"\n")
    yield from (packet(line + b"\n") for line in request.capabilities)
    if request.arguments:
        yield DELIMITER
        yield from (packet(line + b"\n") for line in request.arguments)
    yield FLUSH


def _packet(data: bytes, offset: int) -> Packet | Incomplete:
    try:
        return decode(data, offset)
    except MalformedPacket as error:
        raise MalformedRequest(str(error)) from error


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise MalformedRequest(f"a request of more than {limit} bytes")


def _line(payload: bytes) -> bytes:
    if payload.startswith(_ERROR):
        raise MalformedRequest("the client reports an error")
    return payload.removesuffix(b"\n")


def _request(lines: list[bytes], arguments: list[bytes] | None = None) -> Request:
    commands = [line for line in lines if line.startswith(_COMMAND)]
    if len(commands) > 1:
        raise MalformedRequest("more than one command")
    if not commands and (lines or arguments is not None):
        raise MalformedRequest("no command")
    capabilities = tuple(line for line in lines if not line.startswith(_COMMAND))
    command = commands[0].removeprefix(_COMMAND) if commands else b""
    if commands and not command:
        raise MalformedRequest("a command without a name")
    return Request(command, capabilities, tuple(arguments or ()))
