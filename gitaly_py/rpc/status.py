"""Statuses of RPCs: errors that carry a code, prefixes, and the final conversion (daemon.md 9).

    RpcError
     ├─ InvalidArgument   ├─ NotFound          ├─ AlreadyExists     ├─ PermissionDenied
     ├─ FailedPrecondition├─ Aborted           ├─ ResourceExhausted ├─ Unauthenticated
     ├─ Unavailable       ├─ Unimplemented     ├─ DataLoss          ├─ Cancelled
     ├─ DeadlineExceeded  └─ Internal

Since context is a prefix and never a new exception, the innermost code wins by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar

from google.protobuf.message import Message
from grpc import StatusCode

from gitaly_py.rpc.shortening import shortened, with_details

ABORTED_TEXT = "The operation could not be completed. Please try again."


@dataclass(frozen=True, slots=True)
class Detailed:
    """A code whose statuses carry a message of the API. detail: makes it of the error."""

    code: StatusCode
    detail: Callable[[Any], Message]


Codes = Mapping[type[BaseException], StatusCode | Detailed | None]
"""The code of each exception class; None marks an error that is expected but leaves the code undecided."""


class RpcError(Exception):
    """An error that has a gRPC code, and messages that go into the status' details.

    message: what the client reads; details: messages of the API, outermost first.
    """

    code: ClassVar[StatusCode]

    def __init__(self, message: str, *details: Message) -> None:
        super().__init__(message)
        self.details = details


class InvalidArgument(RpcError):
    code = StatusCode.INVALID_ARGUMENT


class NotFound(RpcError):
    code = StatusCode.NOT_FOUND


class AlreadyExists(RpcError):
    code = StatusCode.ALREADY_EXISTS


class PermissionDenied(RpcError):
    code = StatusCode.PERMISSION_DENIED


class FailedPrecondition(RpcError):
    code = StatusCode.FAILED_PRECONDITION


class Aborted(RpcError):
    code = StatusCode.ABORTED


class ResourceExhausted(RpcError):
    code = StatusCode.RESOURCE_EXHAUSTED


class Unauthenticated(RpcError):
    code = StatusCode.UNAUTHENTICATED


class Unavailable(RpcError):
    code = StatusCode.UNAVAILABLE


class Unimplemented(RpcError):
    code = StatusCode.UNIMPLEMENTED


class DataLoss(RpcError):
    code = StatusCode.DATA_LOSS


class Cancelled(RpcError):
    code = StatusCode.CANCELLED


class DeadlineExceeded(RpcError):
    code = StatusCode.DEADLINE_EXCEEDED


class Internal(RpcError):
    code = StatusCode.INTERNAL


@dataclass(frozen=True, slots=True)
class Status:
    """How an RPC ended. details: the messages of `google.rpc.Status`, outermost first."""

    code: StatusCode
    message: str = ""
    details: tuple[Message, ...] = ()
    original: str = ""
    """The text behind a rewritten message, for the log only."""
    facts: tuple[tuple[str, str], ...] = ()
    """What else is known of the error, for the log only: names and values."""

    @property
    def sent(self) -> str:
        """The message as clients get it."""
        return shortened(self.message)

    def encoded(self) -> bytes | None:
        """The value of `grpc-status-details-bin`, or None without details."""
        if not self.details:
            return None
        # Protobuf takes no surrogates, which stand for octets that are not UTF-8 in what git was asked.
        message = self.sent.encode("utf-8", "replace").decode()
        return with_details(self.code.value[0], message, self.details)


OK = Status(StatusCode.OK)


@dataclass
class _Context:
    """What wrappers added to an error on its way out."""

    prefix: str = ""
    undecided: StatusCode | None = None
    details: tuple[Message, ...] = ()


_ATTRIBUTE = "_rpc_context"


class During:
    """See `during`. A class, since calls enter several, and a generator costs more than what it guards."""

    __slots__ = ("_details", "_undecided", "_what")

    def __init__(self, what: str, details: tuple[Message, ...], undecided: StatusCode | None) -> None:
        self._what = what
        self._details = details
        self._undecided = undecided

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(error, Exception):
            return
        context = _context(error)
        if self._what:
            context.prefix = f"{self._what}: {context.prefix}"
        leave_undecided(error, self._undecided)
        context.details = (*self._details, *context.details)


def during(what: str, *details: Message, undecided: StatusCode | None = None) -> During:
    """Prefixes `what: ` to an error that passes; its class, hence its code, and its details stay.

    undecided: the code of an error that has none of its own (the innermost such choice wins).
    details: added in front of the error's own. What is returned may be entered any number of times.
    """
    return During(what, details, undecided)


def leave_undecided(error: BaseException, code: StatusCode | None) -> None:
    """Gives `code` to an error that has none of its own; the innermost such choice wins."""
    context = _context(error)
    context.undecided = context.undecided or code


def _context(error: BaseException) -> _Context:
    context = getattr(error, _ATTRIBUTE, None)
    if context is None:
        context = _Context()
        setattr(error, _ATTRIBUTE, context)
    return context


def code_of(error: BaseException, *tables: Codes) -> StatusCode | None:
    """The code that `error` has by its class, looked up along its bases in each table; None if undecided."""
    if isinstance(error, RpcError):
        return error.code
    row = _row(error, tables)
    return row.code if isinstance(row, Detailed) else row


def _details_of(error: BaseException, tables: tuple[Codes, ...]) -> tuple[Message, ...]:
    if isinstance(error, RpcError):
        return error.details
    row = _row(error, tables)
    return (row.detail(error),) if isinstance(row, Detailed) else ()


def _row(error: BaseException, tables: tuple[Codes, ...]) -> StatusCode | Detailed | None:
    for table in tables:
        for base in type(error).__mro__:
            if base in table:
                return table[base]
    return None


def text_of(error: BaseException) -> str:
    """What the client reads of `error`, with the prefixes it collected."""
    context = getattr(error, _ATTRIBUTE, None)
    return (context.prefix if context else "") + str(error)


def status_of(error: Exception, *tables: Codes, over: StatusCode | None = None) -> Status:
    """The status of a call that `error` ended (daemon.md 9, final conversion).

    tables: codes of exception classes, the most specific table first.
    over: DEADLINE_EXCEEDED or CANCELLED when the call itself is over; it beats every other code.
    """
    context = getattr(error, _ATTRIBUTE, None) or _Context()
    code = code_of(error, *tables) or context.undecided or StatusCode.INTERNAL
    details = (*context.details, *_details_of(error, tables))
    text = context.prefix + str(error)
    if over is not None:
        return Status(over, text, details, facts=_facts(error))
    if code is StatusCode.ABORTED:
        return Status(code, ABORTED_TEXT, details, original=text, facts=_facts(error))
    return Status(code, text, details, facts=_facts(error))


def _facts(error: BaseException | None) -> tuple[tuple[str, str], ...]:
    """What `error` and its causes have as their `facts`; of several of a name the outermost."""
    found: dict[str, str] = {}
    while error is not None:
        found = {**getattr(error, "facts", {}), **found}
        error = error.__cause__
    return tuple(found.items())
