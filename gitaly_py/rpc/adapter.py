"""The one adapter between an engine and every handler, whatever the kind of the RPC."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, Generic, TypeVar

import structlog
from google.protobuf.message import DecodeError, Message
from grpc import StatusCode

from gitaly_py.rpc.call import Call
from gitaly_py.rpc.exchange import Exchange, Expired, Outcome
from gitaly_py.rpc.methods import Method
from gitaly_py.rpc.packer import Packer
from gitaly_py.rpc.service import RepositoryRule, Rpc, Service
from gitaly_py.rpc.status import Codes, Internal, Status, code_of, leave_undecided, status_of, text_of
from gitaly_py.rpc.steps import Steps
from gitaly_py.telemetry import fields, logs
from gitaly_py.telemetry.method import current_method

AppT = TypeVar("AppT")
RepositoryT = TypeVar("RepositoryT")

REPORT_SECONDS = 0.002
"""The longest time between the end of a call and its log line and metrics."""

READ_AGAIN_BYTES = 65536
"""A request up to here is kept as it came while its call waits in line, and read again behind that: in memory
a small one takes ten times as much once it is read, and callers in line may be many."""

_log = structlog.get_logger("gitaly")


class Frame(Generic[AppT, RepositoryT]):
    """Serves calls: steps, repository, checks, handler, packing, status.

    app: what handlers reach as `call.app`. services: whose handlers are served. resolve: turns the
    Repository message of a request into what handlers work on, or raises. codes: the code of each
    exception class; a class without an entry, here or along its bases, is a defect and reported so.
    """

    def __init__(
        self,
        app: AppT,
        *,
        services: list[Service],
        steps: Steps,
        resolve: Callable[[AppT, Any, RepositoryRule], RepositoryT],
        codes: Codes,
    ) -> None:
        self._app = app
        self._steps = steps
        self._resolve = resolve
        self._codes = codes
        self._ended: list[Call[AppT, RepositoryT]] = []
        self.rpcs: dict[str, Rpc] = {path: rpc for service in services for path, rpc in service.rpcs.items()}
        self._handling = {path: steps.handling(rpc.method) for path, rpc in self.rpcs.items()}

    async def serve(self, rpc: Rpc, exchange: Exchange) -> Outcome:
        """Serves one call to its end.

        A cancellation passes through, after the handler and then the steps have ended; as Expired if it came
        with the call's deadline. Reporters end after the call. Each call needs a context of its own, since it
        sets context variables.
        """
        record = fields.opened()
        current_method.set((rpc.method.service, rpc.method.name))
        call: Call[AppT, RepositoryT] = Call(rpc.method, self._app, exchange, record)
        for reporter in self._steps.reporters:
            reporter.begin(call)
        response: bytes | None = None
        try:
            response = await self._answer(rpc, call, exchange)
        except asyncio.CancelledError as error:
            if _over(exchange) is None:
                call.status = Status(StatusCode.CANCELLED, "context canceled")
                raise
            call.status = Status(StatusCode.DEADLINE_EXCEEDED, "context deadline exceeded")
            raise Expired(Outcome(call.status, None, tuple(call.trailers))) from error
        except Exception as error:  # noqa: BLE001 - the border: every error becomes a status here
            call.status = self._status(rpc, call, error, over=_over(exchange))
        finally:
            call.end()
            self._report_later(call)
        return Outcome(call.status, response, tuple(call.trailers))

    def report(self) -> None:
        """Ends the reporters of the calls that have ended so far.

        Those after one that raises (a full disk under the log) still end; the error goes to the event
        loop's exception handler.
        """
        ended, self._ended = self._ended, []
        reporters = self._steps.reporters[::-1]
        for call in ended:
            for reporter in reporters:
                _attempt(reporter.end, call)
        _attempt(logs.flush)

    def _report_later(self, call: Call[AppT, RepositoryT]) -> None:
        """Logs and metrics wait until a few calls have come together, and no client waits for them."""
        if not self._ended:
            asyncio.get_running_loop().call_later(REPORT_SECONDS, self.report)
        self._ended.append(call)

    async def _answer(self, rpc: Rpc, call: Call[AppT, RepositoryT], exchange: Exchange) -> bytes | None:
        for admits in self._steps.gates:
            admits(call)
        encoded = await _receive(call, exchange)
        if encoded is not None:
            _read_first(call, encoded)
        steps = self._handling[rpc.method.path]
        entered = 0
        try:
            for step in steps:
                waiting = step.enter(call)
                if waiting is not None:
                    if encoded is not None and len(encoded) <= READ_AGAIN_BYTES:
                        call.first = call.target = None
                    try:
                        step.entered(call, await waiting)
                    finally:
                        if encoded is not None and call.first is None:
                            _read_first(call, encoded)
                entered += 1
            if call.first is None:
                raise Internal(rpc.no_request)
            self._admit(rpc, call, call.first)
            return await _handled(rpc, call, exchange, call.first)
        finally:
            for step in reversed(steps[:entered]):
                step.leave(call)

    def _admit(self, rpc: Rpc, call: Call[AppT, RepositoryT], first: Message) -> None:
        for check in rpc.early_checks:
            check(first)
        if rpc.repository is not RepositoryRule.NOWHERE:
            try:
                call.repository = self._resolve(self._app, call.target, rpc.repository)
            except Exception as error:
                leave_undecided(error, rpc.unresolved)
                raise
        for check in rpc.late_checks:
            check(first)

    def _status(
        self, rpc: Rpc, call: Call[AppT, RepositoryT], error: Exception, *, over: StatusCode | None
    ) -> Status:
        tables = (rpc.codes, self._codes)
        if code_of(error, *tables) is None and not _is_ours(error, *tables):
            backtrace = "".join(traceback.format_exception(error))
            _log.error("grpc panic", error=text_of(error), method=call.method.path, backtrace=backtrace)
            return Status(StatusCode.INTERNAL, f"panic: {text_of(error)}")
        return status_of(error, *tables, over=over)


def _attempt(report: Callable[..., None], *of: Call[Any, Any]) -> None:
    try:
        report(*of)
    except Exception as error:  # noqa: BLE001 - nobody waits for a report but the loop
        failure = {"message": "reporting a call failed", "exception": error}
        asyncio.get_running_loop().call_exception_handler(failure)


def _is_ours(error: Exception, *tables: Codes) -> bool:
    return any(base in table for table in tables for base in type(error).__mro__)


def _over(exchange: Exchange) -> StatusCode | None:
    remaining = exchange.time_remaining()
    return StatusCode.DEADLINE_EXCEEDED if remaining is not None and remaining <= 0 else None


async def _receive(call: Call[Any, Any], exchange: Exchange) -> bytes | None:
    encoded = await exchange.receive()
    if encoded is not None:
        call.request_bytes += len(encoded)
        call.messages_received += 1
    return encoded


def _decoded(method: Method, encoded: bytes) -> Message:
    try:
        return method.request.FromString(encoded)
    except DecodeError as error:
        raise Internal(f"grpc: error unmarshalling request: {error}") from error


def _read_first(call: Call[Any, Any], encoded: bytes) -> None:
    call.first = _decoded(call.method, encoded)
    call.target = call.method.target_of(call.first)


async def _requests(call: Call[Any, Any], exchange: Exchange, first: Message) -> AsyncIterator[Message]:
    yield first
    while (encoded := await _receive(call, exchange)) is not None:
        yield _decoded(call.method, encoded)


async def _handled(rpc: Rpc, call: Call[Any, Any], exchange: Exchange, first: Message) -> bytes | None:
    """The only message of the response; None when it was a stream, which has been sent."""
    argument = _requests(call, exchange, first) if rpc.method.client_streaming else first
    answer = rpc.handler(call, argument)
    if not rpc.streams:
        answer = await answer
        if isinstance(answer, Message):
            encoded = answer.SerializeToString()
            _count_sent(call, len(encoded))
            return encoded
    await _stream(rpc, call, exchange, answer)
    return None


async def _stream(
    rpc: Rpc, call: Call[Any, Any], exchange: Exchange, answer: AsyncGenerator[Any, None]
) -> None:
    """Sends what the handler yields.

    The handler's generator is closed here, not by the engine, so that on a hang-up the handler and
    its git processes end before any step around them does.
    """

    async def send(*parts: bytes) -> None:
        _count_sent(call, sum(map(len, parts)))
        await exchange.send(*parts)

    packer = Packer(rpc, send)
    async with aclosing(answer) as produced:
        async for item in produced:
            await packer.put(item)
    await packer.flush()


def _count_sent(call: Call[Any, Any], size: int) -> None:
    call.response_bytes += size
    call.messages_sent += 1
