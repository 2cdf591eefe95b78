"""curl, which is what people try first."""

from __future__ import annotations

import asyncio

import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from tests.support.peers import KINDS, Finished, Served, framed, needs, run, unframed

pytestmark = needs("curl", "curl")

CHECK = "/grpc.health.v1.Health/Check"
GRPC = ("-H", "content-type: application/grpc", "-H", "te: trailers", "--data-binary", "@-")
PRIOR_KNOWLEDGE = "--http2-prior-knowledge"
FAILED_EARLY = {1, 16, 52, 56}
"""Unsupported protocol, a fault of HTTP/2's framing, an empty answer, a broken connection."""


async def curl(native: Served, kind: str, *options: str, path: str = CHECK) -> Finished:
    """Asks with an empty message on standard input; the answer's headers come in front of its body."""
    reach = {
        "unix": ["--unix-socket", str(native.daemon.socket)],
        "tls": ["--cacert", str(native.certificate)],
    }
    line = ["curl", "-sS", "-m", "20", "-D", "/dev/stderr", *reach.get(kind, []), *options]
    return await run(*line, native.url(kind, path), stdin=framed(HealthCheckRequest()))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_health_check(native: Served, kind: str) -> None:
    answer = await curl(native, kind, PRIOR_KNOWLEDGE, *GRPC)

    (message,) = unframed(answer.stdout)
    assert HealthCheckResponse.FromString(message).status == HealthCheckResponse.SERVING
    lines = answer.stderr.split()
    assert lines[:2] == ["HTTP/2", "200"]
    assert "grpc-status: 0" in answer.stderr


async def test_tls_agrees_on_http2(native: Served) -> None:
    answer = await curl(native, "tls", "--http2", *GRPC)

    assert answer.stderr.startswith("HTTP/2 200")


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ([], "415"),
        (["-H", "content-type: text/html", "-X", "POST"], "415"),
        (["-H", "content-type: application/grpc"], "405"),
        (["-H", "content-type: application/grpc", "-I"], "405"),
        (["-H", "content-type: application/grpc", "-X", "PUT"], "405"),
    ],
)
@pytest.mark.parametrize("path", [CHECK, "/"])
async def test_what_is_no_call_is_told_so(native: Served, options: list[str], status: str, path: str) -> None:
    answer = await curl(native, "tcp", PRIOR_KNOWLEDGE, *options, path=path)

    assert (answer.status, answer.stderr.split()[:2]) == (0, ["HTTP/2", status])


@pytest.mark.parametrize("options", [["--http1.1"], ["--http2"], ["--http1.0"], ["--http2", "-d", "x=y"]])
@pytest.mark.parametrize("kind", ["unix", "tcp"])
async def test_older_http_is_hung_up_on(native: Served, kind: str, options: list[str]) -> None:
    async with asyncio.timeout(10):
        answer = await curl(native, kind, *options)

    assert answer.status in FAILED_EARLY
    assert (await curl(native, kind, PRIOR_KNOWLEDGE, *GRPC)).status == 0


async def test_older_http_over_tls_is_hung_up_on(native: Served) -> None:
    async with asyncio.timeout(10):
        assert (await curl(native, "tls", "--http1.1")).status in FAILED_EARLY
