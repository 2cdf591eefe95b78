"""ReadinessCheck (repository.md, part C)."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration

from gitaly_py.pb.server_pb2 import ReadinessCheckRequest
from gitaly_py.pb.server_pb2_grpc import ServerServiceStub


async def test_the_daemon_is_ready_and_says_so(server: ServerServiceStub) -> None:
    response = await server.ReadinessCheck(ReadinessCheckRequest(timeout=Duration(seconds=-1)))

    assert response.WhichOneof("Result") == "ok_response"
