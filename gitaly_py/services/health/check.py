"""Health checks, one by one and watched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import cache

from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from gitaly_py.rpc.methods import methods, methods_of
from gitaly_py.rpc.service import Service
from gitaly_py.rpc.status import NotFound
from gitaly_py.services.app import Call

service = Service("grpc.health.v1.Health", known=methods_of(health_pb2.DESCRIPTOR.services_by_name["Health"]))


@service.rpc()
async def check(call: Call, request: HealthCheckRequest) -> HealthCheckResponse:
    """The state of the daemon (empty name) or of one of its services; NotFound for any other name."""
    if request.service not in _names():
        raise NotFound("unknown service")
    return _response(serving=call.app.health.serving)


@service.rpc()
async def watch(call: Call, request: HealthCheckRequest) -> AsyncIterator[HealthCheckResponse]:
    """The state now and each time it changes; ends when the daemon stops.

    A service that is not there stays unknown, for none comes while the daemon runs.
    """
    known = request.service in _names()
    if known:
        yield _response(serving=call.app.health.serving)
    else:
        yield HealthCheckResponse(status=HealthCheckResponse.SERVICE_UNKNOWN)
    await call.app.health.stopped()
    if known:
        yield _response(serving=False)


def _response(*, serving: bool) -> HealthCheckResponse:
    return HealthCheckResponse(
        status=HealthCheckResponse.SERVING if serving else HealthCheckResponse.NOT_SERVING
    )


@cache
def _names() -> frozenset[str]:
    return frozenset({"", *(method.service for method in methods().values())})
