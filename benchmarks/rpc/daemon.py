"""`python -m benchmarks.rpc.daemon serve CONFIG`: a daemon with a service whose streams cost nothing to make.

What the RPCs of the API stream comes from git, which would cost more than the engine that is measured.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from google.protobuf.wrappers_pb2 import BytesValue, UInt32Value

from gitaly_py.cli import main
from gitaly_py.daemon import worker
from gitaly_py.pb.repository_pb2 import GetArchiveResponse
from gitaly_py.rpc.methods import Method
from gitaly_py.rpc.service import Service

SERVICE = "benchmark.Streams"
MESSAGE_BYTES = 128 * 1024
DRIP_BYTES = 32 * 1024


def _method(name: str, request: Any, response: Any, *, upload: bool = False) -> Method:
    return Method(SERVICE, name, request, response, client_streaming=upload, server_streaming=not upload)


_service = Service(
    SERVICE,
    known=[
        _method("Download", UInt32Value, GetArchiveResponse),
        _method("Drip", UInt32Value, GetArchiveResponse),
        _method("Upload", BytesValue, UInt32Value, upload=True),
    ],
)


@_service.rpc()
async def download(_: Any, request: UInt32Value) -> AsyncIterator[bytes]:
    """As many large messages as are asked for."""
    message = bytes(MESSAGE_BYTES)
    for _ in range(request.value):
        yield message


@_service.rpc()
async def drip(_: Any, request: UInt32Value) -> AsyncIterator[bytes]:
    """As many smaller messages as are asked for."""
    message = bytes(DRIP_BYTES)
    for _ in range(request.value):
        yield message


@_service.rpc()
async def upload(_: Any, requests: AsyncIterator[BytesValue]) -> UInt32Value:
    """The number of messages that came."""
    count = 0
    async for _message in requests:
        count += 1
    return UInt32Value(value=count)


if __name__ == "__main__":
    registered = worker.registry
    worker.registry = lambda: [*registered(), _service]
    main(prog_name="gitaly-py")
