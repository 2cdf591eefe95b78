"""`GET info/refs`: the reference advertisement, with which every fetch and push begins."""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio
from aiohttp import web

from gitaly_py.gateway.exchange import Exchange, service_of
from gitaly_py.pb.smarthttp_pb2 import InfoRefsRequest


async def advertise(exchange: Exchange) -> web.StreamResponse:
    """Streams the daemon's advertisement. A push may make its repository first, where that is allowed."""
    service = service_of(exchange.request)
    exchange.response.content_type = f"application/x-{service}-advertisement"
    try:
        await _stream(exchange, service)
    except grpc.aio.AioRpcError as error:
        missing = error.code() is grpc.StatusCode.NOT_FOUND and not exchange.response.prepared
        if not (missing and service == "git-receive-pack" and exchange.config.create_on_push):
            raise
        await exchange.upstream.create(exchange.relative_path)
        await _stream(exchange, service)
    return exchange.response


async def _stream(exchange: Exchange, service: str) -> None:
    stub: Any = await exchange.upstream.smart_http()
    rpc = stub.InfoRefsReceivePack if service == "git-receive-pack" else stub.InfoRefsUploadPack
    request = InfoRefsRequest(repository=exchange.repository, git_protocol=exchange.protocol)
    async for message in rpc(request, metadata=exchange.metadata()):
        await exchange.send(message.data)
    await exchange.response.write_eof()
