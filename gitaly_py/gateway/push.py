"""`POST git-receive-pack`: a push."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from gitaly_py.gateway.exchange import Exchange
from gitaly_py.pb.smarthttp_pb2 import PostReceivePackRequest

_MESSAGE_BYTES = 128 * 1024


async def push(exchange: Exchange) -> web.StreamResponse:
    """Sends and receives at the same time; what git reports of the push is in the answer."""
    exchange.response.content_type = "application/x-git-receive-pack-result"
    stub: Any = await exchange.upstream.smart_http()
    async for message in stub.PostReceivePack(_requests(exchange), metadata=exchange.metadata()):
        await exchange.send(message.data)
    if not exchange.response.prepared:
        await exchange.response.prepare(exchange.request)
    await exchange.response.write_eof()
    return exchange.response


async def _requests(exchange: Exchange) -> AsyncIterator[PostReceivePackRequest]:
    repository = exchange.repository
    yield PostReceivePackRequest(
        repository=repository,
        gl_id=f"username-{exchange.user}",
        gl_username=exchange.user,
        gl_repository=repository.gl_repository,
        git_protocol=exchange.protocol,
    )
    async for piece in exchange.body():
        for start in range(0, len(piece), _MESSAGE_BYTES):
            yield PostReceivePackRequest(data=piece[start : start + _MESSAGE_BYTES])
