"""How handlers are declared.

A handler is a function under the RPC's snake-case name, registered with the checks of its request:

    service = Service("CommitService")

    @service.rpc(revision("revision"))
    async def find_commit(call: Call, request: FindCommitRequest) -> FindCommitResponse: ...

The handler of a response stream is an async generator; or, where one message is most often all, a coroutine
whose result is that message or such a generator.

What can't be right is refused at import: a name that is no RPC, a stream that is no async generator,
a request of another RPC, a field that the message does not have.
"""

from __future__ import annotations

import enum
import inspect
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, TypeVar

from google.protobuf.message import Message
from grpc import StatusCode

from gitaly_py.rpc.methods import Method, methods
from gitaly_py.rpc.status import Codes

Handler = TypeVar("Handler", bound=Callable[..., Any])


class RepositoryRule(enum.Enum):
    """Which checks the target repository has to pass (repository.md A2)."""

    EXISTING = "all checks"
    CREATING = "all but its existence"
    NOWHERE = "left to the handler"


class Check(Protocol):
    """A test of one request field.

    field: its name, None when the check looks at several. early: it comes before the repository's checks.
    """

    @property
    def field(self) -> str | None: ...

    @property
    def early(self) -> bool: ...

    def __call__(self, request: Any) -> None:
        """Raises an RpcError when the request must not be served."""


@dataclass(frozen=True)
class Rpc:
    """A method with its handler and what the handler declared.

    codes: codes that exceptions have in this RPC only; looked up before the general table.
    unresolved: the code of a failing repository check that has none of its own.
    items: the repeated response field that items go into, None where the response has no such field.
    no_request: message of the Internal error when a client stream ends before its first message.
    """

    method: Method
    handler: Callable[..., Any]
    checks: tuple[Check, ...] = ()
    repository: RepositoryRule = RepositoryRule.EXISTING
    codes: Codes = field(default_factory=dict)
    unresolved: StatusCode = StatusCode.INVALID_ARGUMENT
    items: str | None = None
    no_request: str = "receiving initial request: EOF"

    @cached_property
    def streams(self) -> bool:
        """The handler is the generator of a response stream."""
        return inspect.isasyncgenfunction(self.handler)

    @cached_property
    def early_checks(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.early)

    @cached_property
    def late_checks(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if not check.early)


class RegistrationError(TypeError):
    """A handler that does not fit the RPC it is named after."""


class Service:
    """The handlers of one gRPC service."""

    def __init__(self, name: str, *, known: Iterable[Method] | None = None) -> None:
        """name: such as `CommitService`. known: the methods of a service that is not of the API, whose
        name is then the full one.
        """
        every = methods().values() if known is None else known
        full = name if known is not None else f"gitaly.{name}"
        self._methods = {method.handler_name: method for method in every if method.service == full}
        self.rpcs: dict[str, Rpc] = {}
        if not self._methods:
            raise RegistrationError(f"no service {full}")

    def rpc(
        self,
        *checks: Check,
        repository: RepositoryRule = RepositoryRule.EXISTING,
        codes: Codes | None = None,
        unresolved: StatusCode = StatusCode.INVALID_ARGUMENT,
        items: str | None = None,
        no_request: str = "receiving initial request: EOF",
    ) -> Callable[[Handler], Handler]:
        """Registers a handler; see `Rpc` for the arguments. Raises RegistrationError."""

        def register(handler: Handler) -> Handler:
            method = self._methods.get(handler.__name__)
            if method is None:
                raise RegistrationError(f"{handler.__name__} is no RPC of this service")
            _fits(method, handler)
            for check in checks:
                if check.field is not None:
                    _has_field(method, method.request, check.field)
            rule = repository if method.target else RepositoryRule.NOWHERE
            self.rpcs[method.path] = Rpc(
                method,
                handler,
                checks,
                rule,
                codes or {},
                unresolved,
                _items_field(method, items),
                no_request,
            )
            return handler

        return register


def _fits(method: Method, handler: Callable[..., Any]) -> None:
    annotated = typing.get_type_hints(handler, include_extras=False)
    streams = inspect.isasyncgenfunction(handler)
    if streams != method.server_streaming and not (
        inspect.iscoroutinefunction(handler) and method.response in typing.get_args(annotated.get("return"))
    ):
        raise RegistrationError(f"{method}: a response stream is an async generator, and nothing else is")
    parameters = list(inspect.signature(handler).parameters)
    if len(parameters) != 2:
        raise RegistrationError(f"{method}: a handler takes the call and the request")
    request = annotated.get(parameters[1])
    if method.client_streaming:
        arguments = typing.get_args(request)
        request = arguments[0] if arguments else None
    if request is not method.request:
        raise RegistrationError(f"{method}: takes {method.request.__name__}, the handler says {request}")


def _has_field(method: Method, message: type[Message], field: str) -> None:
    if field not in message.DESCRIPTOR.fields_by_name:
        raise RegistrationError(f"{method}: {message.__name__} has no field {field}")


def _items_field(method: Method, named: str | None) -> str | None:
    if named is not None:
        _has_field(method, method.response, named)
        return named
    repeated = [field.name for field in method.response.DESCRIPTOR.fields if field.is_repeated]
    return repeated[0] if len(repeated) == 1 else None
