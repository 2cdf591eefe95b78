"""One connection: a wire, the HTTP/2 core, and a coroutine for each call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import structlog
from grpc import StatusCode

from gitaly_py.rpc.engines.native.exchange import NativeExchange
from gitaly_py.rpc.engines.native.liveness import KEEPALIVE_PING, Liveness
from gitaly_py.rpc.engines.native.output import Output
from gitaly_py.rpc.exchange import Expired, Metadata, Outcome
from gitaly_py.rpc.http2 import events, replies
from gitaly_py.rpc.http2.connection import Connection
from gitaly_py.rpc.http2.errors import ErrorCode
from gitaly_py.rpc.http2.messages import MessageReader, prefix
from gitaly_py.rpc.http2.requests import NotServed, read
from gitaly_py.rpc.service import Rpc
from gitaly_py.rpc.status import Status
from gitaly_py.telemetry import metrics
from gitaly_py.telemetry.begun import begin
from gitaly_py.transport.connections import ConnectionInfo
from gitaly_py.transport.wire import WIRE_ERRORS, Wire

if TYPE_CHECKING:
    from gitaly_py.rpc.engines.native.engine import NativeEngine

READ_BYTES: Final = 65536
MANY_BYTES: Final = 131072  # read at a time from a client that sends as much as is read
SMALL_BYTES: Final = 16384  # messages up to here travel in one piece with their headers
LINGER_SECONDS: Final = 1.0  # for the client to read what was said last, and to end its side
DRAIN_SECONDS: Final = 1.0  # for streams that were opened before the client knew that we stop
DRAIN_PING: Final = b"goodbye\0"

_log = structlog.get_logger("gitaly")


class NativeConnection:
    """Serves what comes in on `wire` until it ends.

    peer: the name under which handlers know the connection. info: whose it is. buffered: octets of messages
    that no handler has taken yet. closed: done when nothing more happens on the wire; over: when its calls
    have ended, too.
    """

    def __init__(self, engine: NativeEngine, wire: Wire, peer: str, info: ConnectionInfo) -> None:
        self._engine = engine
        self._wire = wire
        self._info = info
        self.peer = peer
        self.loop = asyncio.get_running_loop()
        self.core = Connection(engine.settings.limits)
        self.buffered = 0
        self.closed: asyncio.Future[None] = self.loop.create_future()
        self.over: asyncio.Future[None] = self.loop.create_future()
        self._output = Output(wire, self.core, on_progress=self._progressed, on_lost=self._lost)
        self._liveness = Liveness(self.core, engine.settings, self.loop.time())
        self._calls: dict[int, NativeExchange] = {}
        self._arrived: list[tuple[Rpc, NativeExchange]] = []
        self._tasks: dict[asyncio.Task[None], NativeExchange] = {}
        self._waiting: dict[NativeExchange, None] = {}
        self._flushing = False
        self._receiving = False
        self._read_bytes = READ_BYTES
        self._draining = False
        self._failed = False
        self._said_all = False
        self._lingering: asyncio.TimerHandle | None = None
        self._handlers: dict[type, Callable[[Any], None]] = {
            events.RequestReceived: self._on_request,
            events.RequestTooLarge: self._on_large_request,
            events.DataReceived: self._on_data,
            events.RequestEnded: self._on_request_end,
            events.StreamEnded: self._on_stream_end,
            events.PingAnswered: self._on_ping_answer,
            events.ConnectionFailed: self._on_failure,
        }

    # What the engine calls.

    def start(self, first: bytes) -> None:
        """Begins with octets that were read from the wire before."""
        self._wire.watch_readable(self._readable)
        self._receive(first)

    def drain(self) -> None:
        """Lets running calls finish and takes no others, then ends."""
        if self._draining or self._failed or self.closed.done():
            return
        self._draining = True
        self.core.warn_of_end()
        self.core.ping(DRAIN_PING)
        self.loop.call_later(DRAIN_SECONDS, self._end_gracefully)
        self.flush()

    def check(self, now: float) -> None:
        """Called about once a second: what has taken too long?"""
        if self._failed or self.closed.done():
            return
        waiting_since = min((each.waiting_since for each in self._waiting), default=None)
        fault = self._liveness.fault(now, self._output, waiting_since)
        if fault is not None:
            self._fail(*fault)
        elif self._liveness.must_ask(now):
            self.core.ping(KEEPALIVE_PING)
            self.flush()

    def cut(self) -> None:
        """Ends the connection at once, and cancels its calls."""
        self._lost()

    async def end(self) -> None:
        """Cuts the connection and waits until the calls have ended."""
        self.cut()
        while self._tasks:
            await asyncio.wait(self._tasks)

    # What exchanges call.

    def flush(self) -> None:
        """Sends what there is."""
        self._output.send()
        self._check_memory()
        if self._draining or self._failed:
            self._close_when_done()

    def flush_soon(self) -> None:
        """Sends what there is at the end of this turn of the event loop, all of it at once."""
        if not self._flushing and not self._receiving:
            self._flushing = True
            self.loop.call_soon(self._flush_now)

    def wait_to_send(self, exchange: NativeExchange) -> None:
        """A handler waits until the client has read."""
        exchange.waiting_since = self.loop.time()
        self._waiting[exchange] = None

    def no_longer_waits(self, exchange: NativeExchange) -> None:
        """It goes on, or has ended."""
        self._waiting.pop(exchange, None)

    # What comes in.

    def _readable(self) -> None:
        try:
            data = self._wire.recv(self._read_bytes)
        except BlockingIOError:
            return
        except WIRE_ERRORS:
            self._lost()
            return
        if not data:
            self._lost()
            return
        self._read_bytes = MANY_BYTES if len(data) >= READ_BYTES else READ_BYTES
        self._receive(data)

    def _receive(self, data: bytes) -> None:
        """Most calls are over within this turn of the event loop; what they answer leaves at its end."""
        self._liveness.heard = True
        self._receiving = True
        handlers = self._handlers
        try:
            for event in self.core.receive(data):
                handlers[type(event)](event)
            self._check_memory()
            if self._arrived:
                self._begin_calls()
        finally:
            self._receiving = False
        self.flush()

    def _on_request(self, event: events.RequestReceived) -> None:
        number = event.stream
        try:
            request = read(event.fields)
        except NotServed as refusal:
            status = Status(refusal.code, refusal.message)
            block = replies.trailers_only(status, refusal.extra, http_status=refusal.http_status)
            self.core.send_trailers(number, block)
            return
        rpc = self._engine.rpcs.get(request.path)
        if rpc is None:
            self.core.send_trailers(number, replies.trailers_only(self._engine.unknown(request.path)))
            return
        deadline = None if request.timeout is None else self.loop.time() + request.timeout
        reader = MessageReader(self._engine.settings.max_message, request.decompress)
        exchange = NativeExchange(self, number, Metadata(event.fields), reader, deadline)
        self._calls[number] = exchange
        self._arrived.append((rpc, exchange))
        if event.ended:
            exchange.end()

    def _on_large_request(self, event: events.RequestTooLarge) -> None:
        status = Status(StatusCode.RESOURCE_EXHAUSTED, "received metadata size exceeds limit")
        self.core.send_trailers(event.stream, replies.trailers_only(status))

    def _on_data(self, event: events.DataReceived) -> None:
        exchange = self._calls.get(event.stream)
        if exchange is None:
            self.core.consumed(event.stream, len(event.data))
            return
        exchange.feed(event.data)
        if event.ended:
            exchange.end()

    def _on_request_end(self, event: events.RequestEnded) -> None:
        exchange = self._calls.get(event.stream)
        if exchange is not None:
            exchange.end()

    def _on_stream_end(self, event: events.StreamEnded) -> None:
        exchange = self._calls.pop(event.stream, None)
        if exchange is not None:
            exchange.cancel()

    def _on_ping_answer(self, event: events.PingAnswered) -> None:
        if event.opaque == DRAIN_PING and self._draining:
            self._end_gracefully()

    def _on_failure(self, event: events.ConnectionFailed) -> None:
        """The GOAWAY still goes out, if the client reads it in time; nobody reads more than that."""
        self._failed = True
        metrics.rpc_connection_faults.labels(event.reason).inc()
        # What asks for HTTP/1.1 is a probe, of which there may be many.
        log = _log.info if event.reason == "bad_preface" else _log.warning
        log(
            "protocol violation",
            type=self._info.kind,
            remote_address=self._info.address,
            error=f"{event.code.name}: {event.reason}",
        )
        self._cancel_calls()
        self._linger()
        self.flush_soon()

    def _check_memory(self) -> None:
        if self.buffered + self.core.queued > self._engine.settings.max_memory:
            self._fail(ErrorCode.ENHANCE_YOUR_CALM, "too_much_memory")

    def _fail(self, code: ErrorCode, reason: str) -> None:
        for event in self.core.fail(code, reason):
            self._handlers[type(event)](event)

    # What goes out.

    def _begin_calls(self) -> None:
        """Once all that came is read: a request may be there as a whole, or reset already."""
        arrived, self._arrived = self._arrived, []
        for rpc, exchange in arrived:
            if exchange.cancelled:
                exchange.close()
                continue
            task = begin(self._serve(rpc, exchange), self.loop)
            if task is not None:
                self._tasks[task] = exchange
                exchange.goes_on(task)

    async def _serve(self, rpc: Rpc, exchange: NativeExchange) -> None:
        try:
            self._answer(exchange, await self._engine.frame.serve(rpc, exchange))
        except Expired as error:
            # Its client still waits; that of another cancelled call does not.
            self._answer(exchange, error.outcome)
        except asyncio.CancelledError:
            self.core.reset(exchange.number, ErrorCode.CANCEL)
        except Exception as error:  # noqa: BLE001 - the border: whatever fails, the client does not wait for it
            _log.error("answer failed", method=rpc.method.path, error=str(error), exc_info=error)
            self.core.reset(exchange.number, ErrorCode.INTERNAL_ERROR)
        finally:
            self._forget(exchange)

    def _answer(self, exchange: NativeExchange, outcome: Outcome) -> None:
        core, number = self.core, exchange.number
        if outcome.status.code is not StatusCode.OK and not exchange.begun:
            core.send_trailers(number, replies.trailers_only(outcome.status, outcome.trailers))
            return
        trailers = replies.trailers(outcome.status, outcome.trailers)
        message = outcome.response
        if message is not None and len(message) <= SMALL_BYTES:
            core.respond(number, replies.RESPONSE, prefix(len(message)) + message, trailers)
            return
        if not exchange.begun:
            core.send_headers(number, replies.RESPONSE)
        if message is not None:
            core.send_data(number, prefix(len(message)), message)
        core.send_trailers(number, trailers)

    def _forget(self, exchange: NativeExchange) -> None:
        exchange.close()
        self._calls.pop(exchange.number, None)
        if exchange.task is not None:
            del self._tasks[exchange.task]
        if self._tasks or self._receiving:
            self.flush_soon()
        else:
            self.flush()

    def _flush_now(self) -> None:
        self._flushing = False
        self.flush()

    def _progressed(self) -> None:
        for exchange in list(self._waiting):
            exchange.progressed()

    # The end.

    def _end_gracefully(self) -> None:
        self.core.end_gracefully()
        self.flush()

    def _close_when_done(self) -> None:
        """Says no more once the last call is over; then the client has a moment to read and to go."""
        over = self._failed or (self.core.ended_gracefully and not self.core.open_streams and not self._tasks)
        if not over or not self._output.idle or self._said_all or self.closed.done():
            return
        self._said_all = True
        self._linger()
        try:
            self._wire.shutdown_write()
        except WIRE_ERRORS:
            self._lost()

    def _linger(self) -> None:
        if self._lingering is None:
            self._lingering = self.loop.call_later(LINGER_SECONDS, self._lost)

    def _lost(self) -> None:
        """The wire is of no use any more, and closed though handlers may take their time to end."""
        if self._lingering is not None:
            self._lingering.cancel()
        self._output.stop()
        self._wire.watch_readable(None)
        self._wire.close()
        self._cancel_calls()
        if not self.closed.done():
            self.closed.set_result(None)

    def _cancel_calls(self) -> None:
        for exchange in (*self._calls.values(), *self._tasks.values()):
            exchange.cancel()
        self._calls.clear()
