"""What gRPC reads in the header fields of a request (gRPC over HTTP/2, Requests)."""

from __future__ import annotations

import pytest
from grpc import StatusCode

from gitaly_py.rpc.exchange import Value
from gitaly_py.rpc.http2.messages import gunzip
from gitaly_py.rpc.http2.requests import NotServed, Request, read

FIELDS: dict[str, Value] = {
    ":method": "POST",
    ":scheme": "http",
    ":path": "/gitaly.RefService/FindBranch",
    "content-type": "application/grpc",
    "te": "trailers",
}


def refusal(**changes: Value) -> NotServed:
    with pytest.raises(NotServed) as refused:
        read(FIELDS | {name.replace("_", "-"): value for name, value in changes.items()})
    return refused.value


def test_request_needs_little() -> None:
    assert read(FIELDS) == Request("/gitaly.RefService/FindBranch", None, None)


@pytest.mark.parametrize(
    "value",
    ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8", "Application/GRPC+json"],
)
def test_types_of_grpc_are_served(value: str) -> None:
    assert read(FIELDS | {"content-type": value}).path


@pytest.mark.parametrize(
    "value",
    [
        "",
        "text/html",
        "application/json",
        "application/grpc-web",
        "application/grpcx",
        ("application/grpc",) * 2,
    ],
)
def test_other_types_are_an_unsupported_medium(value: Value) -> None:
    refused = refusal(content_type=value)

    assert (refused.http_status, refused.code) == (415, StatusCode.INVALID_ARGUMENT)
    assert refused.message.startswith("invalid gRPC request content-type")


def test_request_without_a_type_is_an_unsupported_medium() -> None:
    with pytest.raises(NotServed) as refused:
        read({name: value for name, value in FIELDS.items() if name != "content-type"})

    assert refused.value.http_status == 415


@pytest.mark.parametrize("method", ["GET", "post", "PUT"])
def test_other_methods_are_not_allowed(method: str) -> None:
    refused = refusal(**{":method": method})

    assert (refused.http_status, refused.code) == (405, StatusCode.INTERNAL)
    assert method in refused.message


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1H", 3600.0),
        ("2M", 120.0),
        ("10S", 10.0),
        ("0S", 0.0),
        ("250m", 0.25),
        ("7u", 7e-6),
        ("99999999n", 0.099999999),
        ("00000001S", 1.0),
    ],
)
def test_timeout_has_a_number_and_a_unit(value: str, seconds: float) -> None:
    assert read(FIELDS | {"grpc-timeout": value}).timeout == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1",
        "S",
        "1s",
        "1h",
        "-1S",
        "+1S",
        "1.5S",
        "1 S",
        "100000000S",
        "1SS",
        "\u0661S",
        "\xb2S",
        ("1S", "2S"),
    ],
)
def test_other_timeouts_are_refused(value: Value) -> None:
    refused = refusal(grpc_timeout=value)

    assert (refused.http_status, refused.code) == (400, StatusCode.INTERNAL)
    assert refused.message.startswith("malformed grpc-timeout")


def test_messages_may_be_compressed_with_gzip() -> None:
    assert read(FIELDS | {"grpc-encoding": "gzip"}).decompress is gunzip
    assert read(FIELDS | {"grpc-encoding": "identity"}).decompress is None


@pytest.mark.parametrize("value", ["deflate", "GZIP", "gzip, gzip", ("gzip", "gzip")])
def test_other_encodings_are_refused_with_those_there_are(value: Value) -> None:
    refused = refusal(grpc_encoding=value)

    assert (refused.http_status, refused.code) == (200, StatusCode.UNIMPLEMENTED)
    assert refused.extra == (("grpc-accept-encoding", "identity,gzip"),)
