"""Facts about every RPC of the API, read from the compiled descriptors (daemon.md 0, last point)."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

_REPOSITORY = "gitaly.Repository"
_OBJECT_POOL = "gitaly.ObjectPool"


@dataclass(frozen=True, eq=False)
class Method:
    """One RPC.

    service: full name such as `gitaly.CommitService`; path: `/gitaly.CommitService/FindCommit`.
    kind: `unary`, `client_stream`, `server_stream` or `bidi_stream`.
    operation: `accessor`, `mutator`, `maintenance` or `unknown`; scope: `repository`, `storage`,
    `partition` or `unknown`.
    target: field names that lead from the request to its repository; empty when it has none.
    pool: the target is the repository of an object pool.
    storage: name of the field that holds the storage of a storage-scoped RPC, or None.
    """

    service: str
    name: str
    request: type[Message]
    response: type[Message]
    client_streaming: bool
    server_streaming: bool
    operation: str = "unknown"
    scope: str = "unknown"
    target: tuple[str, ...] = ()
    pool: bool = False
    storage: str | None = None

    @property
    def path(self) -> str:
        return f"/{self.service}/{self.name}"

    @property
    def kind(self) -> str:
        if self.client_streaming:
            return "bidi_stream" if self.server_streaming else "client_stream"
        return "server_stream" if self.server_streaming else "unary"

    @property
    def handler_name(self) -> str:
        """The snake-case name that the handler's function has."""
        return snake_case(self.name)

    def target_of(self, request: Message) -> Any | None:
        """The Repository message that `request` names as its target, or None when it is absent."""
        message: Any = request
        for field in self.target:
            if not message.HasField(field):
                return None
            message = getattr(message, field)
        return message if self.target else None

    def __str__(self) -> str:
        return self.path


def snake_case(name: str) -> str:
    """`GetLFSPointers` → `get_lfs_pointers`."""
    words = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", words).lower()


def all_methods() -> Iterable[Method]:
    """Every RPC of the API, in the order of its proto files."""
    return methods().values()


@cache
def methods() -> Mapping[str, Method]:
    """Every RPC of the API by its path."""
    return {method.path: method for service in _services() for method in methods_of(service)}


def methods_of(service: ServiceDescriptor) -> list[Method]:
    """The RPCs of one service, in the order they are declared."""
    return [_method(service, descriptor) for descriptor in service.methods]


def _services() -> list[ServiceDescriptor]:
    import gitaly_py.pb as package  # noqa: PLC0415 - a namespace of generated code, complete only after a build

    found: list[ServiceDescriptor] = []
    for module in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
        if module.endswith("_pb2"):
            descriptor = importlib.import_module(f"gitaly_py.pb.{module}").DESCRIPTOR
            found.extend(descriptor.services_by_name.values())
    return found


def _method(service: ServiceDescriptor, descriptor: MethodDescriptor) -> Method:
    operation, scope = _operation(descriptor)
    target, pool = _target(descriptor.input_type)
    return Method(
        service=service.full_name,
        name=descriptor.name,
        request=GetMessageClass(descriptor.input_type),
        response=GetMessageClass(descriptor.output_type),
        client_streaming=descriptor.client_streaming,
        server_streaming=descriptor.server_streaming,
        operation=operation,
        scope=scope,
        target=target,
        pool=pool,
        storage=_storage(descriptor.input_type),
    )


def _operation(descriptor: MethodDescriptor) -> tuple[str, str]:
    from gitaly_py.pb import lint_pb2  # noqa: PLC0415 - see _services

    options: Any = descriptor.GetOptions()
    if not options.HasExtension(lint_pb2.op_type):
        return "unknown", "unknown"
    value = options.Extensions[lint_pb2.op_type]
    message = lint_pb2.OperationMsg
    return message.Operation.Name(value.op).lower(), message.Scope.Name(value.scope_level).lower()


def _flagged(field: FieldDescriptor, option: str) -> bool:
    from gitaly_py.pb import lint_pb2  # noqa: PLC0415 - see _services

    return bool(field.GetOptions().Extensions[getattr(lint_pb2, option)])


def _target(message: Descriptor) -> tuple[tuple[str, ...], bool]:
    """Where the target repository is: in a field of the request, or one level down in its header."""
    for field in message.fields:
        if _flagged(field, "target_repository"):
            return _leading_to_repository(field)
    for field in message.fields:
        if field.message_type and not field.is_repeated and field.message_type.file.package == "gitaly":
            for inner in field.message_type.fields:
                if _flagged(inner, "target_repository"):
                    path, pool = _leading_to_repository(inner)
                    return (field.name, *path), pool
    return (), False


def _leading_to_repository(field: FieldDescriptor) -> tuple[tuple[str, ...], bool]:
    name = field.message_type.full_name if field.message_type else ""
    if name == _OBJECT_POOL:
        return (field.name, "repository"), True
    if name != _REPOSITORY:
        raise TypeError(f"{field.full_name} is marked as a target repository and is none")
    return (field.name,), False


def _storage(message: Descriptor) -> str | None:
    return next((field.name for field in message.fields if _flagged(field, "storage")), None)
