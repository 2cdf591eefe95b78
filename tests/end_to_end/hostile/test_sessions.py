"""Multiplexed connections that break the rules of yamux, or promise a side channel and open none."""

from __future__ import annotations

import asyncio
import random
from struct import pack

import grpc.aio
import pytest
from grpc import StatusCode

from gitaly_py.pb.blob_pb2 import GetBlobRequest
from gitaly_py.pb.smarthttp_pb2 import PostUploadPackWithSidechannelRequest
from gitaly_py.pb.smarthttp_pb2_grpc import SmartHTTPServiceStub
from gitaly_py.transport.client import MultiplexedConnection
from gitaly_py.transport.frontdoor import MAGIC, SESSION_WINDOW
from gitaly_py.transport.sidechannel import METADATA_KEY
from gitaly_py.transport.yamux.frames import FIN, RST, SYN, FrameType, encoded
from tests.end_to_end.hostile.test_connections import ended
from tests.support.http2 import PREFACE, data, headers, settings, window_update
from tests.support.http2_client import message, request_fields
from tests.support.siege import KINDS, MIB, Siege, bearer

OPEN = encoded(FrameType.WINDOW_UPDATE, SYN, 1, 0)
GREETING = PREFACE + settings().octets
HTTP2 = encoded(FrameType.DATA, 0, 1, len(GREETING)) + GREETING

# A part is sent as often as it says.
VIOLATIONS: dict[str, tuple[bytes, int]] = {
    "noise": (random.Random(3).randbytes(100_000), 1),
    "wrong version": (b"\1" + bytes(11), 1),
    "wrong type": (pack(">BBHII", 0, 9, 0, 0, 0), 1),
    "stream of the server's": (encoded(FrameType.WINDOW_UPDATE, SYN, 2, 0), 1),
    "stream that is open": (OPEN + OPEN, 1),
    "more than the window": (
        OPEN + encoded(FrameType.DATA, 0, 1, SESSION_WINDOW + 1) + bytes(SESSION_WINDOW + 1),
        1,
    ),
    "length without end": (OPEN + encoded(FrameType.DATA, 0, 1, 2**32 - 1), 1),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_violations_end_their_session(siege: Siege, kind: str) -> None:
    async with siege.lifted(kind):
        for name, (octets, times) in VIOLATIONS.items():
            reader, writer = await siege.connect(kind)
            writer.write(MAGIC + octets * times)
            assert await ended(reader), name
            writer.close()


FLOODS: dict[str, bytes] = {
    "streams": b"".join(encoded(FrameType.WINDOW_UPDATE, SYN, number, 0) for number in range(3, 20_001, 2)),
    "resets": b"".join(
        encoded(FrameType.WINDOW_UPDATE, SYN, number, 0) + encoded(FrameType.WINDOW_UPDATE, RST, number, 0)
        for number in range(3, 20_001, 2)
    ),
    "pings": encoded(FrameType.PING, SYN, 0, 7) * 20_000,
    "credit": encoded(FrameType.WINDOW_UPDATE, 0, 1, 1) * 20_000,
    "empty data": encoded(FrameType.DATA, 0, 1, 0) * 20_000,
    "frames of streams that are not there": encoded(FrameType.DATA, FIN, 99, 0) * 20_000,
}


@pytest.mark.parametrize("kind", KINDS)
async def test_floods_of_frames_hold_up_nobody(siege: Siege, kind: str) -> None:
    async with siege.lifted(kind):
        for octets in FLOODS.values():
            _, writer = await siege.connect(kind)
            writer.write(MAGIC + OPEN + HTTP2)
            writer.write(octets)
            await asyncio.sleep(0.2)
            writer.transport.abort()


@pytest.mark.parametrize("kind", KINDS)
async def test_sessions_that_are_not_read_hold_up_nobody(siege: Siege, kind: str) -> None:
    """Their client asks for answers, and takes none."""
    octets = MAGIC + OPEN + HTTP2 + encoded(FrameType.PING, SYN, 0, 7) * 50_000
    async with siege.lifted(kind):
        memory = siege.process.memory_info().rss
        writers = [(await siege.connect(kind))[1] for _ in range(20)]
        for writer in writers:
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(octets)
        await asyncio.sleep(1)
        assert siege.process.memory_info().rss < memory + 64 * MIB
        for writer in writers:
            writer.transport.abort()


def asking_for_much(siege: Siege, oid: str) -> bytes:
    """A client's first bytes: it has room for everything, and asks for a blob ten times."""
    frames = [settings({4: 2**31 - 1}), window_update(0, 2**31 - 1 - 65_535)]
    fields = request_fields("/gitaly.BlobService/GetBlob", ("authorization", bearer()))
    body = message(GetBlobRequest(repository=siege.repo.message, oid=oid, limit=-1))
    for stream in range(1, 20, 2):
        frames += [headers(stream, fields), data(stream, body, end=True)]
    return PREFACE + b"".join(frame.octets for frame in frames)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("multiplexed", [False, True], ids=["plain", "multiplexed"])
async def test_answers_that_are_not_taken_hold_up_nobody(siege: Siege, kind: str, multiplexed: bool) -> None:
    oid = siege.repo.blob(random.Random(4).randbytes(8 * MIB))
    octets = asking_for_much(siege, oid)
    if multiplexed:
        octets = MAGIC + OPEN + encoded(FrameType.DATA, 0, 1, len(octets)) + octets
    async with siege.lifted(kind):
        memory = siege.process.memory_info().rss
        writers = [(await siege.connect(kind))[1] for _ in range(10)]
        for writer in writers:
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(octets)
        await asyncio.sleep(1)
        assert siege.process.memory_info().rss < memory + 256 * MIB
        for writer in writers:
            writer.transport.abort()


async def test_side_channels_that_are_never_opened_end_their_calls(siege: Siege) -> None:
    """The client answers to the stream of no call."""
    address = f"unix:{siege.served.daemon.socket}"
    async with siege.lifted("unix"), await MultiplexedConnection.dial(address) as connection:
        stub = SmartHTTPServiceStub(connection.channel())
        metadata = [("authorization", bearer()), (METADATA_KEY, "12345")]
        request = PostUploadPackWithSidechannelRequest(repository=siege.repo.message)
        calls = [stub.PostUploadPackWithSidechannel(request, metadata=metadata) for _ in range(100)]
        errors = await asyncio.gather(*calls, return_exceptions=True)
    assert {error.code() for error in errors if isinstance(error, grpc.aio.AioRpcError)} <= {
        StatusCode.UNAVAILABLE,
        StatusCode.INTERNAL,
    }
    assert all(isinstance(error, grpc.aio.AioRpcError) for error in errors)
