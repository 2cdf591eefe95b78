"""ReadinessCheck (repository.md, part C)."""

from __future__ import annotations

from gitaly_py.pb.server_pb2 import ReadinessCheckRequest, ReadinessCheckResponse
from gitaly_py.services.app import Call
from gitaly_py.services.server.service import service


@service.rpc()
async def readiness_check(call: Call, request: ReadinessCheckRequest) -> ReadinessCheckResponse:
    """Whoever can answer is ready: there is nothing else to check."""
    return ReadinessCheckResponse(ok_response=ReadinessCheckResponse.Ok())
