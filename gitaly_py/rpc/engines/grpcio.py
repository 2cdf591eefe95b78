"""The engine on grpc.aio: a server on a private unix socket, reached through the front door's relay.

Messages stay encoded in both directions; the frame decodes and encodes them, so that it counts bytes
without a second encoding.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import grpc
import grpc.aio
from grpc import StatusCode

from gitaly_py.rpc.adapter import Frame
from gitaly_py.rpc.exchange import Metadata, Outcome
from gitaly_py.rpc.methods import methods
from gitaly_py.rpc.service import Rpc

MAX_RECEIVED_MESSAGE = 4 * 1024 * 1024

OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.max_send_message_length", -1),
    # Rails sends dozens of feature flags with each call, far beyond the library's default of 8 KiB.
    ("grpc.max_metadata_size", 16 * 1024 * 1024),
    ("grpc.absolute_max_metadata_size", 16 * 1024 * 1024),
    ("grpc.keepalive_time_ms", 300_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.so_reuseport", 0),
    # Beyond a thousand calls that wait for their handler the library turns others away at random, whoever's
    # they are; one client that floods us would be enough.
    ("grpc.server.max_pending_requests", 2**20),
    ("grpc.server.max_pending_requests_hard_limit", 2**20),
)
"""daemon.md 2.2."""

PING_INTERVAL: float = 10.0
PING_STRIKES = 2

MethodHandler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

_DETAILS = "grpc-status-details-bin"

_PASSING_SECONDS = 0.01


class GrpcioEngine:
    """Serves a frame with grpc.aio on `address` (a `unix:` target in a private folder).

    max_message: bytes of a request. ping_interval: seconds that must lie between two pings of a client;
    ping_strikes: how many may come earlier, 0 is no limit.
    """

    def __init__(
        self,
        frame: Frame[Any, Any],
        address: str,
        *,
        max_message: int = MAX_RECEIVED_MESSAGE,
        ping_interval: float = PING_INTERVAL,
        ping_strikes: int = PING_STRIKES,
    ) -> None:
        options = (
            ("grpc.max_receive_message_length", max_message),
            # What the library calls MIN_RECV_PING_INTERVAL_WITHOUT_DATA has no "recv" in its name here.
            ("grpc.http2.min_ping_interval_without_data_ms", round(ping_interval * 1000)),
            ("grpc.http2.max_ping_strikes", ping_strikes),
        )
        self._server = grpc.aio.server(options=(*OPTIONS, *options))
        self._serving: set[asyncio.Task[Any]] = set()
        self._server.add_generic_rpc_handlers((_Handlers(frame, self._serving),))
        self._server.add_insecure_port(address)

    async def start(self) -> None:
        """Begins to accept connections on the private socket."""
        await self._server.start()

    async def stop(self, grace: float) -> None:
        """Says GOAWAY, lets running calls finish for at most `grace` seconds, then cancels them.

        Returns when all of them have ended.
        """
        await self._server.stop(grace)
        # The library does not wait for the handlers of calls that were cancelled.
        while self._serving:
            await asyncio.wait(self._serving)


class _Handlers(grpc.GenericRpcHandler):
    """Finds the handler of a path; every handler is made once, at start."""

    def __init__(self, frame: Frame[Any, Any], serving: set[asyncio.Task[Any]]) -> None:
        self._handlers = {path: _bound(frame, rpc, serving) for path, rpc in frame.rpcs.items()}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> MethodHandler:
        return self._handlers.get(handler_call_details.method) or _unknown(handler_call_details.method)


class _Exchange:
    """One RPC on grpc.aio."""

    __slots__ = ("_context", "_request", "metadata", "peer")

    def __init__(self, context: Any, request: bytes | None) -> None:
        self._context = context
        self._request = request
        self.metadata = Metadata.of(context.invocation_metadata())
        self.peer: str = context.peer()

    def time_remaining(self) -> float | None:
        remaining: float | None = self._context.time_remaining()
        return remaining

    async def receive(self) -> bytes | None:
        request, self._request = self._request, None
        return request

    async def send(self, *parts: bytes) -> None:
        await self._context.write(b"".join(parts))


class _StreamExchange(_Exchange):
    """One RPC whose requests are a stream."""

    __slots__ = ("_task",)

    def __init__(self, context: Any, task: asyncio.Task[Any]) -> None:
        super().__init__(context, None)
        self._task = task

    async def receive(self) -> bytes | None:
        message: bytes | object = await self._context.read()
        if isinstance(message, bytes):
            return message
        await self._let_cancellation_arrive()
        return None

    async def _let_cancellation_arrive(self) -> None:
        """Returns when the client half-closed; a call that was cut ends here, by its cancellation.

        The library reports every cut (a reset, a lost connection, a passed deadline, a stop of the server)
        as the end of the stream first and as a cancellation a moment later, by when a handler would have
        committed what it got. Both leave the core in one go, and what is asked of the call after that is
        answered behind them: once another read has returned, the call's task knows of its cancellation.
        """
        await self._context.read()
        # Only a reader in a task of its own waits here. A time-out of the handler's looks alike, and passes.
        while self._task.cancelling():
            await asyncio.wait({self._task}, timeout=_PASSING_SECONDS)


def _bound(frame: Frame[Any, Any], rpc: Rpc, serving: set[asyncio.Task[Any]]) -> MethodHandler:
    streaming_in, streaming_out = rpc.method.client_streaming, rpc.method.server_streaming

    async def serve(request: Any, context: Any) -> bytes | None:
        task: Any = asyncio.current_task()
        exchange = _StreamExchange(context, task) if streaming_in else _Exchange(context, request)
        serving.add(task)
        try:
            response = await _finish(context, await frame.serve(rpc, exchange))
            if response is not None and streaming_out:
                # The library ignores what the handler of a stream returns.
                await context.write(response)
            return response
        finally:
            serving.discard(task)

    return _method_handler(serve, streaming_in, streaming_out)


def _method_handler(
    serve: Callable[[Any, Any], Awaitable[bytes | None]], streaming_in: bool, streaming_out: bool
) -> MethodHandler:
    # No (de)serializers: grpc.aio then passes the encoded bytes through.
    if streaming_in:
        make = (
            grpc.stream_stream_rpc_method_handler if streaming_out else grpc.stream_unary_rpc_method_handler
        )
    else:
        make = grpc.unary_stream_rpc_method_handler if streaming_out else grpc.unary_unary_rpc_method_handler
    handler: MethodHandler = make(serve)
    return handler


async def _finish(context: Any, outcome: Outcome) -> bytes | None:
    """Ends the call with its status; an early failure leaves as trailers only, so that clients may retry."""
    status = outcome.status
    if status.code is StatusCode.OK:
        if outcome.trailers:
            context.set_trailing_metadata(outcome.trailers)
        return outcome.response
    details = status.encoded()
    trailers: tuple[tuple[str, str | bytes], ...] = outcome.trailers
    if details is not None:
        trailers = (*trailers, (_DETAILS, details))
    await context.abort(status.code, status.sent, trailers)
    raise AssertionError("abort always raises")


def _unknown(path: str) -> MethodHandler:
    """Answers UNIMPLEMENTED for a method that is not there, before any step looks at the call."""
    service, _, name = path.lstrip("/").rpartition("/")
    services = {method.service for method in methods().values()}
    text = (
        f"unknown method {name} for service {service}"
        if service in services
        else f"unknown service {service}"
    )

    async def refuse(_: Any, context: Any) -> None:
        await context.abort(StatusCode.UNIMPLEMENTED, text)

    method = methods().get(path)
    if method is None:
        return _method_handler(refuse, True, True)
    return _method_handler(refuse, method.client_streaming, method.server_streaming)
