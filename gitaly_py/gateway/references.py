"""`GET info/refs`: the reference advertisement, with which every fetch and push begins."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import grpc
import grpc.aio
from aiohttp import web

from gitaly_py.gateway.exchange import Exchange, service_of
from gitaly_py.pb.smarthttp_pb2 import InfoRefsRequest

_PAUSES: Final = (0.4, 0.8, 1.4)
"""Seconds between tries."""


async def advertise(exchange: Exchange) -> web.StreamResponse:
    """Streams the daemon's advertisement. A push may make its repository first, where that is allowed."""
    service = service_of(exchange.request)
    exchange.response.content_type = f"application/x-{service}-advertisement"
    try:
        await _persistently(exchange, service)
    except grpc.aio.AioRpcError as error:
        missing = error.code() is grpc.StatusCode.NOT_FOUND and not exchange.response.prepared
        if not (missing and service == "git-receive-pack" and exchange.config.create_on_push):
            raise
        await exchange.upstream.create(exchange.relative_path)
        await _stream(exchange, service)
    return exchange.response


async def _persistently(exchange: Exchange, service: str) -> None:
    """Tries again when the connection is gone, as clients do with whatever only reads (daemon.md 2.1)."""
    for pause in _PAUSES:
        try:
            await _stream(exchange, service)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE or exchange.response.prepared:
                raise
        else:
            return
        await asyncio.sleep(pause)
    await _stream(exchange, service)


async def _stream(exchange: Exchange, service: str) -> None:
    stub: Any = await exchange.upstream.smart_http()
    rpc = stub.InfoRefsReceivePack if service == "git-receive-pack" else stub.InfoRefsUploadPack
    request = InfoRefsRequest(repository=exchange.repository, git_protocol=exchange.protocol)
    async for message in rpc(request, metadata=exchange.metadata()):
        await exchange.send(message.data)
    await exchange.response.write_eof()
