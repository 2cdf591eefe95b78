"""Tells clients such as grpcurl which services and messages there are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

from google.protobuf import text_format
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import Default
from grpc import StatusCode
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection_pb2 import (
    ErrorResponse,
    ExtensionNumberResponse,
    FileDescriptorResponse,
    ListServiceResponse,
    ServerReflectionRequest,
    ServerReflectionResponse,
    ServiceResponse,
)

from gitaly_py.rpc.methods import methods, methods_of
from gitaly_py.rpc.service import Service
from gitaly_py.rpc.status import InvalidArgument
from gitaly_py.services.app import Call

_V1ALPHA = methods_of(reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"])
_V1 = [replace(method, service="grpc.reflection.v1.ServerReflection") for method in _V1ALPHA]
_POOL = Default()

# No library has the file of v1, whose only difference is its package.
_v1_file = text_format.Parse(
    text_format.MessageToString(
        FileDescriptorProto.FromString(reflection_pb2.DESCRIPTOR.serialized_pb)
    ).replace("v1alpha", "v1"),
    FileDescriptorProto(),
)
_POOL.AddSerializedFile(_v1_file.SerializeToString())

services = [Service(known[0].service, known=known) for known in (_V1, _V1ALPHA)]


async def server_reflection_info(
    call: Call, requests: AsyncIterator[ServerReflectionRequest]
) -> AsyncIterator[ServerReflectionResponse]:
    """One answer a question, in order; InvalidArgument for a message that asks nothing."""
    async for request in requests:
        yield _answer(request)


for _service in services:
    _service.rpc()(server_reflection_info)


def _answer(request: ServerReflectionRequest) -> ServerReflectionResponse:
    kind = request.WhichOneof("message_request")
    if kind is None:
        raise InvalidArgument("invalid MessageRequest")
    response = ServerReflectionResponse(valid_host=request.host, original_request=request)
    try:
        _ANSWERS[kind](request, response)
    except KeyError as error:
        response.error_response.CopyFrom(
            ErrorResponse(error_code=StatusCode.NOT_FOUND.value[0], error_message=f"not found: {error}")
        )
    return response


def _by_filename(request: ServerReflectionRequest, response: ServerReflectionResponse) -> None:
    _put_files(response, _POOL.FindFileByName(request.file_by_filename))


def _by_symbol(request: ServerReflectionRequest, response: ServerReflectionResponse) -> None:
    symbol = request.file_containing_symbol
    try:
        file = _POOL.FindFileContainingSymbol(symbol)
    except KeyError:
        # Methods are symbols, too, but not to this library.
        method: Any = _POOL.FindMethodByName(symbol)
        file = method.containing_service.file
    _put_files(response, file)


def _by_extension(request: ServerReflectionRequest, response: ServerReflectionResponse) -> None:
    wanted = request.file_containing_extension
    message = _POOL.FindMessageTypeByName(wanted.containing_type)
    extension: Any = _POOL.FindExtensionByNumber(message, wanted.extension_number)
    _put_files(response, extension.file)


def _extension_numbers(request: ServerReflectionRequest, response: ServerReflectionResponse) -> None:
    message = _POOL.FindMessageTypeByName(request.all_extension_numbers_of_type)
    numbers = sorted(extension.number for extension in _POOL.FindAllExtensions(message))
    response.all_extension_numbers_response.CopyFrom(
        ExtensionNumberResponse(base_type_name=message.full_name, extension_number=numbers)
    )


def _list_services(_: ServerReflectionRequest, response: ServerReflectionResponse) -> None:
    names = {method.service for method in methods().values()}
    names |= {"grpc.health.v1.Health", *(known.service for known in (*_V1, *_V1ALPHA))}
    response.list_services_response.CopyFrom(
        ListServiceResponse(service=[ServiceResponse(name=name) for name in sorted(names)])
    )


_ANSWERS: dict[str, Callable[[ServerReflectionRequest, ServerReflectionResponse], None]] = {
    "file_by_filename": _by_filename,
    "file_containing_symbol": _by_symbol,
    "file_containing_extension": _by_extension,
    "all_extension_numbers_of_type": _extension_numbers,
    "list_services": _list_services,
}


def _put_files(response: ServerReflectionResponse, file: FileDescriptor) -> None:
    """Puts `file` and all that it imports, so that the client need not ask for each."""
    found: dict[str, bytes] = {}

    def add(each: FileDescriptor) -> None:
        if each.name not in found:
            found[each.name] = each.serialized_pb
            for dependency in each.dependencies:
                add(dependency)

    add(file)
    response.file_descriptor_response.CopyFrom(
        FileDescriptorResponse(file_descriptor_proto=list(found.values()))
    )
