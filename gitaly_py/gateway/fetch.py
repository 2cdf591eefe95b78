"""`POST git-upload-pack`: a round of a fetch, over a side channel."""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio
from aiohttp import web

from gitaly_py.gateway.exchange import Exchange
from gitaly_py.pb.smarthttp_pb2 import PostUploadPackWithSidechannelRequest
from gitaly_py.transport.client import ClientSidechannel

_READ_BYTES = 256 * 1024


async def fetch(exchange: Exchange) -> web.StreamResponse:
    """Sends the whole request, then passes the answer on as it comes."""
    exchange.response.content_type = "application/x-git-upload-pack-result"
    connection = await exchange.upstream.connection()

    async def relay(channel: ClientSidechannel) -> None:
        async for piece in exchange.body():
            await channel.write(piece)
        await channel.close_write()
        while data := await channel.read(_READ_BYTES):
            await exchange.send(data)

    stub: Any = await exchange.upstream.smart_http()
    request = PostUploadPackWithSidechannelRequest(
        repository=exchange.repository, git_protocol=exchange.protocol
    )
    with connection.register(relay) as waiter:
        try:
            await stub.PostUploadPackWithSidechannel(
                request, metadata=[*exchange.metadata(), waiter.metadata]
            )
        except grpc.aio.AioRpcError as error:
            if waiter.called:
                await waiter.wait()
            # git has failed, and its answer, which says why, is complete.
            if error.code() is not grpc.StatusCode.FAILED_PRECONDITION or not exchange.sent:
                raise
        else:
            await waiter.wait()
    if not exchange.response.prepared:
        await exchange.response.prepare(exchange.request)
    await exchange.response.write_eof()
    return exchange.response
