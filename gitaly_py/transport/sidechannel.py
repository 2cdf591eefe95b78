"""The server's end of side channels: bytes of a call that bypass gRPC (transport.md 1.7 to 1.9)."""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, Self

from gitaly_py.git.wire.goquote import quote
from gitaly_py.transport.connections import Connections
from gitaly_py.transport.errors import (
    NoSidechannelId,
    NotMultiplexed,
    OpenFailed,
    SessionClosed,
    StreamReset,
    TransportError,
    UnexpectedEOF,
)
from gitaly_py.transport.framing import Deframer
from gitaly_py.transport.wire import Buffer
from gitaly_py.transport.yamux.driver import Driver
from gitaly_py.transport.yamux.sources import Source
from gitaly_py.transport.yamux.stream import READ_LIMIT, Stream

METADATA_KEY: Final = "gitaly-sidechannel-id"
MAGIC: Final = b"sidechannel"
CONFIRMATION: Final = b"ok"
ID: Final = struct.Struct(">q")
OPEN_TIMEOUT: Final = 5.0  # seconds until the client must have confirmed

_DECIMAL: Final = re.compile(r"[+-]?[0-9]{1,19}")


class Sidechannel:
    """An open side channel: what the client sends without its frames, and raw bytes to the client.

    Use it as an async context manager: however the block is left, the client gets a clean end (FIN), which
    it needs before the call's status (transport.md 1.9).
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._deframer = Deframer()
        self._payload = memoryview(b"")
        self._input_over = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def read(self, limit: int = READ_LIMIT) -> bytes:
        """Waits for 1 to `limit` bytes from the client; b"" once it ended its data.

        Raises InvalidFrame, UnexpectedEOF (closed without the end frame), StreamReset, SessionClosed.
        """
        while not self._payload and not self._input_over:
            data = await self._stream.read(READ_LIMIT)
            if not data:
                raise UnexpectedEOF
            self._payload = memoryview(self._deframer.receive_data(data))
            if self._deframer.ended:
                self.discard_input()
        data = bytes(self._payload[:limit])
        self._payload = self._payload[limit:]
        return data

    async def write(self, data: Buffer) -> None:
        """Sends `data`; waits for the client's window. Raises StreamClosed, StreamReset, SessionClosed."""
        await self._stream.write(data)

    async def write_soon(self, data: bytes) -> None:
        """Sends a few bytes together with what follows in this turn. Raises as `write`."""
        await self._stream.write_soon(data)

    async def send_file(self, fd: int, offset: int, length: int) -> None:
        """Sends a range of a file, which must exist. Raises as `write`, and OSError."""
        await self._stream.send_file(fd, offset, length)

    async def send_pipe(self, fd: int) -> int:
        """Sends what comes out of a pipe until its end; returns how much. Raises as `write`, and OSError."""
        return await self._stream.send_pipe(fd)

    async def send_source(self, source: Source) -> None:
        """Sends what a source gives until it is done. Raises as `write`, and what the source raises."""
        await self._stream.send_source(source)

    def discard_input(self) -> None:
        """Throws away what the client still sends, so that a client that only writes gets through."""
        if not self._input_over:
            self._input_over = True
            self._stream.discard()

    def close(self) -> None:
        """Ends our data (FIN), and throws away what the client still sends. May be called again."""
        self.discard_input()
        self._stream.close()


async def open_sidechannel(
    connections: Connections, peer: str, metadata: Mapping[str, Sequence[str]]
) -> Sidechannel:
    """Opens the side channel that a call asks for.

    peer: of the call, as the RPC engine reports it. metadata: of the call, all values of a key.
    Raises NoSidechannelId, NotMultiplexed, OpenFailed.
    """
    number = sidechannel_id(metadata)
    info = connections.of(peer)
    if info is None or info.session is None:
        raise NotMultiplexed
    return await open_on(info.session, number)


def sidechannel_id(metadata: Mapping[str, Sequence[str]]) -> int:
    """The id in a call's metadata: the last value counts, and one that is no number is 0 (transport.md 1.7).

    Raises NoSidechannelId.
    """
    values = metadata.get(METADATA_KEY)
    if not values:
        raise NoSidechannelId
    number = int(values[-1]) if _DECIMAL.fullmatch(values[-1]) else 0
    return number if -(2**63) <= number < 2**63 else 0


async def open_on(session: Driver, number: int, *, timeout: float = OPEN_TIMEOUT) -> Sidechannel:
    """Opens side channel `number` on a session; the client has `timeout` seconds to confirm.

    Raises OpenFailed.
    """
    limit = asyncio.timeout(timeout)
    try:
        async with limit:
            return Sidechannel(await _confirmed(session, number))
    except TimeoutError as error:
        raise OpenFailed("i/o timeout", retryable=False) from error


async def _confirmed(session: Driver, number: int) -> Stream:
    try:
        stream = await session.open()
    except TransportError as error:
        raise OpenFailed(f"open stream: {error}", retryable=True) from error
    try:
        try:
            await stream.write_soon(MAGIC + ID.pack(number))
        except TransportError as error:
            raise OpenFailed(f"write stream id: {error}", retryable=True) from error
        answer = await _answer(stream)
        if answer != CONFIRMATION:
            raise OpenFailed(f"expected ok, got {quote(answer)}", retryable=False)
    except BaseException:
        stream.discard()
        stream.close()
        raise
    return stream


async def _answer(stream: Stream) -> bytes:
    answer = b""
    while len(answer) < len(CONFIRMATION):
        try:
            data = await stream.read(len(CONFIRMATION) - len(answer))
        except StreamReset as error:
            raise OpenFailed(str(error), retryable=False) from error
        except SessionClosed:
            data = b""
        if not data:
            # A client that began to confirm has used up its waiter.
            raise OpenFailed("unexpected EOF" if answer else "EOF", retryable=not answer)
        answer += data
    return answer
