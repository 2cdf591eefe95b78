"""The front door before a real gRPC server, for every kind of listener and client."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import grpc.aio
import pytest

from gitaly_py.telemetry.metrics import REGISTRY
from gitaly_py.transport.dialling import dialled
from gitaly_py.transport.errors import ConnectFailed, HandshakeFailed, SessionClosed
from gitaly_py.transport.frontdoor import MAGIC
from gitaly_py.transport.wire import receive, receive_exactly, send_all
from gitaly_py.transport.yamux.driver import Driver
from gitaly_py.transport.yamux.session import Side
from tests.support.front import Front, call, check, front_door
from tests.support.mux import failure, settled
from tests.support.pushes import eventually

KINDS = pytest.mark.parametrize("kind", ["unix", "tcp", "tls"])


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    async with front_door(tmp_path) as started:
        yield started


@KINDS
async def test_plain_clients_are_served(front: Front, kind: str) -> None:
    async with front.plain(kind) as channel:
        assert await check(channel)
    assert front.counted == [kind]


@KINDS
async def test_multiplexed_clients_are_served(front: Front, kind: str) -> None:
    async with await front.dial(kind) as connection:
        assert await check(connection.channel())
        assert await check(connection.channel())
    assert front.counted == [kind]


@KINDS
async def test_both_kinds_of_clients_share_a_listener(front: Front, kind: str) -> None:
    async def plain() -> bool:
        async with front.plain(kind) as channel:
            return await check(channel)

    async def multiplexed() -> bool:
        async with await front.dial(kind) as connection:
            return await check(connection.channel())

    clients = [plain() if number % 2 else multiplexed() for number in range(50)]

    assert await asyncio.gather(*clients) == [True] * 50
    await asyncio.wait_for(front.door.wait_closed(), 10)
    assert len(front.connections) == 0


@KINDS
async def test_a_handler_learns_who_called(front: Front, kind: str) -> None:
    async with front.plain(kind) as channel, await front.dial(kind) as connection:
        await call(channel)
        await call(connection.channel())

    plain, multiplexed = front.infos
    assert plain is not None
    assert multiplexed is not None
    assert (plain.kind, plain.session) == (kind, None)
    assert multiplexed.session is not None
    assert plain.address == "@" if kind == "unix" else plain.address.startswith(("127.0.0.1:", "[::1]:"))
    assert plain.address == multiplexed.address or kind != "unix"


@pytest.mark.parametrize("sent", [b"", b"PRI * HTTP"], ids=["nothing", "ten bytes"])
async def test_a_client_that_leaves_early_is_dropped(front: Front, sent: bytes) -> None:
    wire = await dialled(front.addresses["tcp"])
    await send_all(wire, sent)
    wire.shutdown_write()

    assert await receive(wire, 1) == b""
    wire.close()
    await front.door.wait_closed()


@pytest.mark.parametrize(
    ("kind", "sent"),
    [("unix", b""), ("unix", MAGIC), ("tls", b""), ("tls", bytes.fromhex("160301020001"))],
    ids=["no bytes", "no stream", "no TLS", "half a TLS handshake"],
)
async def test_a_client_has_a_deadline_for_its_first_bytes(tmp_path: Path, kind: str, sent: bytes) -> None:
    before = _faults("handshake_timeout")
    async with front_door(tmp_path, handshake_timeout=0.05) as front:
        wire = await dialled(front.addresses[kind].replace("tls://", "tcp://"))
        await send_all(wire, sent)
        assert await asyncio.wait_for(receive(wire, 1), 5) == b""
        wire.close()
        await front.door.wait_closed()
    assert _faults("handshake_timeout") == before + 1


async def test_what_is_no_tls_handshake_is_dropped_and_counted(tmp_path: Path) -> None:
    before = _faults("handshake_failed")
    async with front_door(tmp_path) as front:
        wire = await dialled(front.addresses["tls"].replace("tls://", "tcp://"))
        await send_all(wire, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        with contextlib.suppress(OSError):
            while await asyncio.wait_for(receive(wire, 100), 5):
                pass
        wire.close()
        await front.door.wait_closed()
    assert _faults("handshake_failed") == before + 1


def _faults(reason: str) -> float:
    return REGISTRY.get_sample_value("gitaly_rpc_connection_faults_total", {"reason": reason}) or 0


async def test_first_bytes_may_come_one_by_one(front: Front) -> None:
    wire = await dialled(front.addresses["tcp"])
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")
    for byte in preface:
        await send_all(wire, bytes([byte]))
        await asyncio.sleep(0)

    settings = await receive_exactly(wire, 4)
    assert settings[3] == 4
    wire.close()


async def test_no_application_protocol_need_be_offered(front: Front) -> None:
    context = front.client_context()
    context.set_alpn_protocols(["h2"])
    offering = await dialled(front.addresses["tls"], context)
    silent = await dialled(front.addresses["tls"], front.client_context())

    assert offering.selected_alpn_protocol == "h2"
    assert silent.selected_alpn_protocol is None
    offering.close()
    silent.close()


async def test_an_untrusted_certificate_is_refused_by_the_client(front: Front) -> None:
    with pytest.raises(HandshakeFailed, match="CERTIFICATE_VERIFY_FAILED"):
        await dialled(front.addresses["tls"], ssl.create_default_context())
    await front.door.wait_closed()


async def test_garbage_instead_of_tls_is_dropped(front: Front) -> None:
    wire = await dialled(front.addresses["tls"].replace("tls", "tcp"))
    await send_all(wire, b"GET / HTTP/1.1\r\n\r\n")
    await asyncio.wait_for(front.door.wait_closed(), 5)
    wire.close()


async def test_the_first_stream_has_the_large_window_and_further_ones_are_not_accepted(front: Front) -> None:
    wire = await dialled(front.addresses["unix"])
    await send_all(wire, MAGIC + bytes.fromhex("000100010000000100000000"))
    assert (await receive_exactly(wire, 12)).hex() == "000100020000000100fc0000"

    await send_all(wire, bytes.fromhex("000100010000000300000000000100010000000500000000"))
    refusal = bytes.fromhex("000100080000000500000000")
    received = b""
    while not received.endswith(refusal):
        received += await receive(wire, 1)
    assert bytes.fromhex("0000000300000000") not in received
    wire.close()


async def test_closing_the_first_stream_ends_the_connection(front: Front) -> None:
    wire = await dialled(front.addresses["unix"])
    await send_all(wire, MAGIC)
    session = Driver(wire, Side.CLIENT)
    session.start()
    stream = await session.open()
    await stream.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000"))
    await stream.read()
    stream.close()

    await asyncio.wait_for(session.wait_closed(), 10)
    assert await failure(session.open()) is not None


async def test_a_client_that_vanishes_is_forgotten(front: Front) -> None:
    connection = await front.dial("tcp")
    assert await check(connection.channel())
    assert len(front.connections) == 1

    connection._session.abort("test")
    await asyncio.wait_for(front.door.wait_closed(), 5)
    assert len(front.connections) == 0
    await connection.close()


async def test_stopping_refuses_new_connections_and_leaves_old_ones(front: Front) -> None:
    async with await front.dial("tcp") as connection, front.plain("unix") as channel:
        assert await check(connection.channel())
        assert await check(channel)
        await front.door.stop()

        with pytest.raises(ConnectFailed, match="connect tcp://"):
            await front.dial("tcp")
        assert await check(connection.channel())
        assert await check(channel)
        assert front.door.live == 2

        await front.door.close()
        assert front.door.live == 0
        await asyncio.wait_for(connection.wait_closed(), 5)
        assert not connection.alive


async def test_a_client_that_was_accepted_just_before_a_stop_is_served(front: Front) -> None:
    wire = await dialled(front.addresses["unix"])
    await eventually(lambda: front.door.live == 1)

    stopping = asyncio.create_task(front.door.stop(patience=60))
    await asyncio.sleep(0.05)
    assert not stopping.done()
    await send_all(wire, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000"))

    assert (await receive_exactly(wire, 4))[3] == 4
    await asyncio.wait_for(stopping, 5)
    assert front.door.live == 1
    wire.close()


async def test_a_client_that_says_nothing_holds_up_a_stop_no_longer_than_it_may(front: Front) -> None:
    wire = await dialled(front.addresses["unix"])
    await eventually(lambda: front.door.live == 1)

    await asyncio.wait_for(front.door.stop(patience=0.05), 5)

    assert front.door.live == 0
    assert await receive(wire, 1) == b""
    wire.close()


async def test_large_messages_pass_both_ways(front: Front) -> None:
    async with await front.dial("tls") as multiplexed, front.plain("tcp") as plain:
        for channel in (multiplexed.channel(), plain):
            method = channel.unary_unary("/test.Test/Missing")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await method(bytes(3 << 20), timeout=20)
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_an_engine_that_is_away_drops_the_connection(tmp_path: Path) -> None:
    async with front_door(tmp_path) as front:
        (tmp_path / "engine").unlink()
        wire = await dialled(front.addresses["unix"])
        await send_all(wire, b"PRI * HTTP/")
        assert await receive(wire, 1) == b""
        wire.close()
    assert len(front.connections) == 0


async def test_a_protocol_violation_ends_only_its_connection(front: Front) -> None:
    bad, good = await dialled(front.addresses["tcp"]), await front.dial("tcp")
    opening = bytes.fromhex("000100010000000100000000")
    await send_all(bad, MAGIC + opening * 2)

    answer = await receive_exactly(bad, 1000)
    assert answer.endswith(bytes.fromhex("000300000000000000000001"))
    assert await check(good.channel())
    await good.close()
    bad.close()


async def test_sessions_of_vanished_servers_fail(front: Front) -> None:
    connection = await front.dial("unix")
    await front.door.close()
    await connection.wait_closed()

    assert isinstance(await failure(connection._session.open()), SessionClosed)
    await settled()
    await connection.close()
