"""The filter's side of git's long-running filter protocol, version 2, for `smudge` (gitattributes)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from tempfile import SpooledTemporaryFile
from typing import IO

from gitaly_py.git.pipes import PipeReader, PipeWriter
from gitaly_py.git.wire.pktline import (
    FLUSH,
    HEADER_LENGTH,
    MAX_PAYLOAD,
    Incomplete,
    Kind,
    decode,
    encode,
)

_IN_MEMORY = 1024 * 1024

_WELCOME = [b"git-filter-client", b"version=2"]
_SMUDGE = b"capability=smudge"

Smudge = Callable[[IO[bytes]], AsyncGenerator[bytes, None]]
"""From the content of a blob to that of the file. Raises SmudgeFailed."""


class SmudgeFailed(Exception):
    """The file cannot be made: git keeps the blob's content, or gives up if the filter is required."""


class FilterProtocolError(Exception):
    """The other side does not speak the protocol."""


async def serve_smudge(reader: PipeReader, writer: PipeWriter, smudge: Smudge) -> None:
    """Filters one blob after the other until git closes its end.

    Raises FilterProtocolError, MalformedPacket, and BrokenPipeError when git no longer listens.
    """
    with suppress(EOFError):
        await _greet(reader, writer)
        while True:
            if b"command=smudge" not in await _lines(reader):
                raise FilterProtocolError("a command other than smudge")
            await _answer(reader, writer, smudge)


async def _greet(reader: PipeReader, writer: PipeWriter) -> None:
    if await _lines(reader) != _WELCOME:
        raise FilterProtocolError("not the filter protocol, version 2")
    await writer.write(_packets(b"git-filter-server\n", b"version=2\n"))
    if _SMUDGE not in await _lines(reader):
        raise FilterProtocolError("git cannot smudge")
    await writer.write(_packets(_SMUDGE + b"\n"))


async def _answer(reader: PipeReader, writer: PipeWriter, smudge: Smudge) -> None:
    with SpooledTemporaryFile(max_size=_IN_MEMORY) as content:
        # git listens to nothing before all of the blob is read.
        while (data := await _packet(reader)) is not None:
            content.write(data)
        content.seek(0)
        await writer.write(_packets(b"status=success\n"))
        ending = _packets()
        try:
            async with aclosing(smudge(content)) as pieces:
                async for piece in pieces:
                    await _write(writer, piece)
        except SmudgeFailed:
            ending = _packets(b"status=error\n")
    await writer.write(FLUSH + ending)


async def _write(writer: PipeWriter, data: bytes) -> None:
    for start in range(0, len(data), MAX_PAYLOAD):
        await writer.write(encode(data[start : start + MAX_PAYLOAD]))


def _packets(*lines: bytes) -> bytes:
    return b"".join(map(encode, lines)) + FLUSH


async def _lines(reader: PipeReader) -> list[bytes]:
    lines = []
    while (line := await _packet(reader)) is not None:
        lines.append(line.removesuffix(b"\n"))
    return lines


async def _packet(reader: PipeReader) -> bytes | None:
    """What is in a data packet; None for a flush packet. Raises EOFError at the end of the stream."""
    packet = decode(data := await reader.read_exactly(HEADER_LENGTH))
    if isinstance(packet, Incomplete):
        packet = decode(data + await reader.read_exactly(packet.needed))
    if isinstance(packet, Incomplete):
        raise EOFError
    if packet.kind not in (Kind.DATA, Kind.FLUSH):
        raise FilterProtocolError(f"unexpected {packet.kind.value} packet")
    return packet.payload if packet.kind is Kind.DATA else None
