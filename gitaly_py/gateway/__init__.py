"""Smart HTTP for plain git clients over the gRPC API: what stands where workhorse stands."""

from __future__ import annotations

from gitaly_py.config.gateway import GatewayConfig


def run(config: GatewayConfig) -> int:
    """Serves until SIGTERM or SIGINT; the exit status."""
    from gitaly_py.gateway.server import serve  # noqa: PLC0415 - imports grpc and aiohttp

    return serve(config)
