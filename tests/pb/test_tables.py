"""The compiled descriptors against the checked-in tables of the API.

A number, label, option or streaming kind that drifts breaks clients that nobody here rebuilds, so the
comparison runs in both directions: a row only in the tables and a row only in the protos both fail.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.message import Message

from gitaly_py.pb import lint_pb2

ROOT = Path(__file__).parents[2]
TABLES = ROOT / "tests" / "data" / "api"
PROTOS = ROOT / "proto" / "gitaly_py" / "pb"

Row = tuple[str, ...]

FIELD_OPTIONS = (
    lint_pb2.storage,
    lint_pb2.repository,
    lint_pb2.target_repository,
    lint_pb2.additional_repository,
    lint_pb2.partition_id,
)


def modules() -> list[ModuleType]:
    return [import_module(f"gitaly_py.pb.{path.stem}_pb2") for path in sorted(PROTOS.glob("*.proto"))]


def file_protos() -> Iterator[tuple[str, FileDescriptorProto]]:
    """Every proto file as (name in the tables, content).

    Parsed from its serialized form: fully linked descriptors do not tell reserved numbers and names.
    """
    for module in modules():
        descriptor: FileDescriptor = module.DESCRIPTOR
        yield Path(descriptor.name).name, FileDescriptorProto.FromString(descriptor.serialized_pb)


def all_messages(
    messages: Iterable[DescriptorProto], outer: str = ""
) -> Iterator[tuple[str, DescriptorProto]]:
    """Messages and nested ones by their `Outer.Inner` name; entries of maps are not messages to a client."""
    for message in messages:
        if not message.options.map_entry:
            name = outer + message.name
            yield name, message
            yield from all_messages(message.nested_type, name + ".")


def all_enums(file: FileDescriptorProto) -> Iterator[tuple[str, EnumDescriptorProto]]:
    for enum in file.enum_type:
        yield enum.name, enum
    for name, message in all_messages(file.message_type):
        for enum in message.enum_type:
            yield f"{name}.{enum.name}", enum


def type_name(field: FieldDescriptorProto, message: DescriptorProto) -> str:
    if not field.type_name:
        return FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    for nested in message.nested_type:
        if nested.options.map_entry and field.type_name.endswith(f".{message.name}.{nested.name}"):
            key, value = (type_name(entry, nested) for entry in nested.field)
            return f"map<{key},{value}>"
    return field.type_name.removeprefix(".").removeprefix("gitaly.")


def label(field: FieldDescriptorProto, message: DescriptorProto) -> str:
    if field.proto3_optional:
        return "optional"
    if field.HasField("oneof_index"):
        return f"oneof {message.oneof_decl[field.oneof_index].name}"
    is_map = type_name(field, message).startswith("map<")
    return "repeated" if field.label == FieldDescriptorProto.LABEL_REPEATED and not is_map else ""


def options(field: FieldDescriptorProto) -> str:
    names = [option.name for option in FIELD_OPTIONS if field.options.Extensions[option]]
    return ",".join([*names, *(["deprecated"] if field.options.deprecated else [])])


def field_rows(message: DescriptorProto) -> Iterator[Row]:
    """The rows of one message from the number on; one empty row when it has none at all."""
    for field in message.field:
        kind = type_name(field, message)
        yield str(field.number), field.name, kind, label(field, message), options(field)
    for span in message.reserved_range:
        for number in range(span.start, span.end):
            yield str(number), "", "", "reserved", ""
    for name in message.reserved_name:
        yield "", name, "", "reserved", ""
    if not message.field:
        yield "", "", "", "", ""


def streaming(method: MethodDescriptor) -> str:
    kinds = [("client-stream", method.client_streaming), ("server-stream", method.server_streaming)]
    return "+".join(kind for kind, used in kinds if used) or "unary"


def operation(method: MethodDescriptor) -> tuple[str, str]:
    method_options: Message = method.GetOptions()
    if not method_options.HasExtension(lint_pb2.op_type):
        return "", ""
    operation_type = method_options.Extensions[lint_pb2.op_type]
    return (
        lint_pb2.OperationMsg.Operation.Name(operation_type.op),
        lint_pb2.OperationMsg.Scope.Name(operation_type.scope_level),
    )


def services() -> Iterator[tuple[str, ServiceDescriptor]]:
    for module in modules():
        for service in module.DESCRIPTOR.services_by_name.values():
            yield Path(module.DESCRIPTOR.name).name, service


def compiled_rpcs() -> Iterator[Row]:
    for file, service in services():
        for method in service.methods:
            types = (method.input_type.name, method.output_type.name)
            note = "deprecated" if method.GetOptions().deprecated else ""
            yield (file, service.name, method.name, *types, streaming(method), *operation(method), note)


def compiled_fields() -> Iterator[Row]:
    for file, proto in file_protos():
        for name, message in all_messages(proto.message_type):
            for row in field_rows(message):
                yield (file, name, *row)


def compiled_enums() -> Iterator[Row]:
    for file, proto in file_protos():
        for name, enum in all_enums(proto):
            for value in enum.value:
                yield file, name, str(value.number), value.name


def table(name: str) -> Iterator[Row]:
    """The rows of a checked-in table without its header; trailing empty columns may be left out there."""
    header, *lines = (TABLES / name).read_text(encoding="ascii").splitlines()
    width = len(header.split("\t"))
    for line in lines:
        columns = line.split("\t")
        yield (*columns, *[""] * (width - len(columns)))


def differences(expected: Iterable[Row], actual: Iterable[Row]) -> list[str]:
    """One line a row that only one side has, counting rows that occur twice."""
    in_table, in_protos = Counter(expected), Counter(actual)
    missing = [f"only in the table: {' '.join(row)}" for row in (in_table - in_protos).elements()]
    extra = [f"only in the protos: {' '.join(row)}" for row in (in_protos - in_table).elements()]
    return missing + extra


@pytest.mark.parametrize(
    ("name", "compiled"),
    [("rpcs.tsv", compiled_rpcs), ("fields.tsv", compiled_fields), ("enums.tsv", compiled_enums)],
)
def test_compiled_protos_equal_the_table_row_for_row(name, compiled):
    difference = differences(table(name), compiled())

    assert not difference, "\n" + "\n".join(difference)


def test_services_are_intercepted_exactly_when_their_rpcs_have_no_operation_type():
    for _, service in services():
        intercepted = service.GetOptions().Extensions[lint_pb2.intercepted]

        assert [operation(method) == ("", "") for method in service.methods] == [intercepted] * len(
            service.methods
        ), service.name


def test_custom_options_keep_their_extension_numbers():
    numbers = {name: extension.number for name, extension in lint_pb2.DESCRIPTOR.extensions_by_name.items()}

    assert numbers == {
        "intercepted": 82302,
        "op_type": 82303,
        "storage": 91233,
        "repository": 91234,
        "target_repository": 91235,
        "additional_repository": 91236,
        "partition_id": 91237,
    }


def test_repository_options_mark_only_fields_that_hold_a_repository_or_pool():
    marked = {"target_repository", "additional_repository", "repository"}
    types = {kind for _, _, _, _, kind, _, note in compiled_fields() if note in marked}

    assert types == {"Repository", "ObjectPool"}
