"""One HTTP request and its answer: path, access, body, errors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc
import grpc.aio
import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from gitaly_py.config.gateway import GatewayConfig
from gitaly_py.gateway.access import Access
from gitaly_py.gateway.upstream import Unreachable, Upstream
from gitaly_py.pb.shared_pb2 import Repository
from gitaly_py.transport.errors import TransportError

_log = structlog.get_logger("gitaly")

UNAVAILABLE = "The git server, Gitaly, is not available at this time. Please contact your administrator.\n"
_NO_CACHE = {"Cache-Control": "no-cache, max-age=0, must-revalidate", "Pragma": "no-cache"}


class Exchange:
    """What the handlers of the three routes share.

    relative_path: of the repository in the gateway's storage; user: who asks, empty when anonymous.
    """

    def __init__(
        self, request: web.Request, config: GatewayConfig, upstream: Upstream, relative_path: str, user: str
    ) -> None:
        self.request = request
        self.config = config
        self.upstream = upstream
        self.relative_path = relative_path
        self.user = user
        self.response = web.StreamResponse(headers=_NO_CACHE)
        self.sent = 0
        self._body_fault: web.HTTPException | None = None

    @classmethod
    def begin(
        cls,
        request: web.Request,
        config: GatewayConfig,
        access: Access,
        upstream: Upstream,
        *,
        write: bool | None,
    ) -> Exchange:
        """Checks path and access.

        write: whether the request is part of a push; None leaves it to the `service` of the query.
        Raises HTTPException.
        """
        if write is None:
            write = service_of(request) == "git-receive-pack"
        user = access.check(request.headers, write=write)
        return cls(request, config, upstream, _relative_path(request.match_info["path"]), user)

    @property
    def repository(self) -> Repository:
        return self.upstream.repository(self.relative_path)

    @property
    def protocol(self) -> str:
        """The git protocol that the client asks for, as the daemon takes it."""
        return self.request.headers.get("Git-Protocol", "")

    def metadata(self) -> list[tuple[str, str]]:
        return self.upstream.metadata(user=self.user, remote_ip=self.request.remote or "")

    async def body(self) -> AsyncIterator[bytes]:
        """The request's body, unpacked, in pieces.

        Raises HTTPRequestEntityTooLarge, HTTPRequestTimeout, HTTPBadRequest. Whatever becomes of such an
        error in the call that the body is for, it is the answer.
        """
        try:
            async for piece in self._pieces():
                yield piece
        except web.HTTPException as fault:
            self._body_fault = fault
            raise

    async def _pieces(self) -> AsyncIterator[bytes]:
        limit = self.config.limits.max_body_bytes
        size = 0
        while True:
            try:
                async with asyncio.timeout(self.config.limits.idle_timeout.seconds):
                    piece = await self.request.content.readany()
            except TimeoutError:
                raise web.HTTPRequestTimeout(text="no data from the client\n") from None
            except (web.RequestPayloadError, HttpProcessingError) as error:
                # Nothing more can be read of this connection, so the server must not try.
                self.request.content.feed_eof()
                self.request.protocol.close()
                raise web.HTTPBadRequest(text="the request body can't be read\n") from error
            if not piece:
                return
            size += len(piece)
            if limit and size > limit:
                raise web.HTTPRequestEntityTooLarge(limit, size)
            yield piece

    async def send(self, data: bytes) -> None:
        """Sends a piece of the answer; the first one sends the headers, so that an early error still can."""
        if not self.response.prepared:
            await self.response.prepare(self.request)
        self.sent += len(data)
        async with asyncio.timeout(self.config.limits.idle_timeout.seconds):
            await self.response.write(data)

    async def finish(
        self, handler: Callable[[Exchange], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Runs the handler of the route and turns its errors into an answer."""
        since = time.monotonic()
        status = 500
        try:
            response = await self._answer(handler)
            status = response.status
            return response
        except web.HTTPException as error:
            status = error.status
            raise
        except (ConnectionError, asyncio.CancelledError):
            # The client is gone; the number is what other servers log then.
            status = 499
            raise
        finally:
            _log.info(
                "request",
                method=self.request.method,
                path=self.request.path,
                status=status,
                user=self.user,
                remote_ip=self.request.remote,
                response_bytes=self.sent,
                duration_ms=round((time.monotonic() - since) * 1000, 3),
            )

    async def _answer(
        self, handler: Callable[[Exchange], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            async with asyncio.timeout(self.config.limits.request_timeout.seconds or None):
                return await handler(self)
        except asyncio.CancelledError:
            # gRPC cancels a call whose requests fail to come.
            if self._body_fault is None:
                raise
            failure = self._body_fault
        except (grpc.aio.AioRpcError, TransportError, Unreachable, TimeoutError) as error:
            failure = self._body_fault or _failure(error)
            _log.warning("request failed", path=self.request.path, error=_text(error))
        if not self.response.prepared:
            raise failure
        self._cut()
        return self.response

    def _cut(self) -> None:
        """Breaks the connection, so that the client does not take half an answer for a whole one."""
        if self.request.transport is not None:
            self.request.transport.abort()


def service_of(request: web.Request) -> str:
    """`git-upload-pack` or `git-receive-pack`. Raises HTTPNotFound for anything else."""
    service = request.query.get("service", "")
    if service not in ("git-upload-pack", "git-receive-pack"):
        raise web.HTTPNotFound(text="only smart HTTP is served\n")
    return service


def _relative_path(path: str) -> str:
    """The repository's path below its storage. Raises HTTPNotFound for what no repository may be called."""
    *folders, name = path.split("/")
    hostile = any(segment in ("", ".", "..") or segment.startswith("+") for segment in (*folders, name))
    inside_another = any(folder.endswith(".git") for folder in folders)
    if hostile or inside_another or "\0" in path:
        raise web.HTTPNotFound(text="Not Found.\n")
    return path if path.endswith(".git") else f"{path}.git"


def _failure(error: Exception) -> web.HTTPException:
    code = error.code() if isinstance(error, grpc.aio.AioRpcError) else grpc.StatusCode.UNAVAILABLE
    if code is grpc.StatusCode.NOT_FOUND:
        return web.HTTPNotFound(text="Not Found.\n")
    if code is grpc.StatusCode.UNAVAILABLE:
        return web.HTTPServiceUnavailable(text=UNAVAILABLE)
    return web.HTTPInternalServerError(text="Internal Server Error.\n")


def _text(error: Exception) -> str:
    return (
        f"{error.code().name}: {error.details()}" if isinstance(error, grpc.aio.AioRpcError) else str(error)
    )
