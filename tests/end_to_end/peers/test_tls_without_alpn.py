"""A TLS client that offers no protocol. It is written by hand, since Debian has none that is left."""

from __future__ import annotations

import asyncio
import ssl

from grpc_health.v1.health_pb2 import HealthCheckRequest

from tests.support.http2 import DATA, HEADERS, PREFACE, REQUEST, Fields, Frame, data, headers, settings
from tests.support.peers import HOST, Served, framed

CHECK = "/grpc.health.v1.Health/Check"


async def test_a_tls_client_that_agrees_on_nothing_is_served(native: Served) -> None:
    context = ssl.create_default_context(cafile=str(native.certificate))
    reader, writer = await asyncio.open_connection(HOST, native.tls, ssl=context)
    fields: Fields = [(name, CHECK if name == ":path" else value) for name, value in REQUEST]
    call = [headers(1, fields), data(1, framed(HealthCheckRequest()), end=True)]
    writer.write(PREFACE + b"".join(frame.octets for frame in (settings(), *call)))

    kinds = []
    async with asyncio.timeout(20):
        while (frame := await _frame(reader)).stream != 1 or not frame.flags & 1:
            kinds.append(frame.kind)
    writer.close()

    assert writer.get_extra_info("ssl_object").selected_alpn_protocol() is None
    assert (kinds[-2:], frame.kind) == ([HEADERS, DATA], HEADERS)


async def _frame(reader: asyncio.StreamReader) -> Frame:
    head = await reader.readexactly(9)
    payload = await reader.readexactly(int.from_bytes(head[:3]))
    return Frame(head[3], head[4], int.from_bytes(head[5:]), payload)
