"""A conversation of protocol version 2: an advertisement, then any number of requests (gitprotocol-v2).

Each request says all that its answer needs, so that they are served one by one, as those over HTTP are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from gitaly_py.git.wire import pktline
from gitaly_py.git.wire.fetch_request import FetchRequest, RequestReader
from gitaly_py.services.fetching.fetch import STATELESS, Ending, Fetch, Input, ending_of
from gitaly_py.services.fetching.serving import by_git, serve, streamed
from gitaly_py.services.transfer import Observer

_MAX_REQUEST: Final = 16 * 1024 * 1024
"""Bytes of a request that is read before it is answered; git reads longer ones as they come."""


async def converse(fetch: Fetch, source: Input, *observers: Observer) -> Ending:
    """Serves requests until the client has no more, or git fails. observers: see what the client sends."""
    ending = await _advertised(fetch)
    if ending.status:
        return ending
    client = _Client(source, observers)
    async for request in client.requests():
        ending = await serve(fetch, request)
        if ending.status:
            return ending
    if client.is_talkative:
        return await streamed(fetch, client.rest(), flags=[STATELESS], side_band=lambda: False)
    # What breaks off, or is no request: only git knows what to say to that.
    return await by_git(fetch, client.begun) if client.begun else ending


async def _advertised(fetch: Fetch) -> Ending:
    capabilities = await fetch.call.app.advertiser.capabilities(fetch.call.repository, fetch.config)
    if capabilities is not None:
        await fetch.output.write(capabilities)
        return Ending()
    async with fetch.upload_pack(STATELESS, "--advertise-refs") as process:
        await fetch.output.take(process)
        return ending_of(fetch.output, process)


class _Client:
    """What a client says."""

    def __init__(self, source: Input, observers: tuple[Observer, ...]) -> None:
        self._source = source
        self._observers = observers
        self._reader = RequestReader(2)

    @property
    def begun(self) -> bytes:
        """What belongs to no whole request."""
        return self._reader.begun

    @property
    def is_talkative(self) -> bool:
        """Whether a request is too long to be read before it is answered."""
        return not self._reader.malformed and len(self._reader.begun) > _MAX_REQUEST

    async def requests(self) -> AsyncIterator[FetchRequest]:
        """Whole requests, until the client says that it wants nothing more, in whatever way."""
        while (request := await self._next()) is not None and request.data != pktline.FLUSH:
            yield request

    async def rest(self) -> Input:
        """All of what is no whole request yet, in pieces."""
        yield self.begun
        async for data in self._source:
            self._observe(data)
            yield data

    async def _next(self) -> FetchRequest | None:
        request = self._reader.receive()
        while request is None and not self._reader.malformed and not self.is_talkative:
            data = await anext(self._source, b"")
            if not data:
                return None
            self._observe(data)
            request = self._reader.receive(data)
        return request

    def _observe(self, data: bytes) -> None:
        for observe in self._observers:
            observe(data)
