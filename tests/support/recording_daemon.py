"""A gRPC server that notes what it is asked and gives one answer, for tests of clients."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from gitaly_py.rpc.methods import methods


@dataclass
class Recorded:
    """One call: its RPC, its requests, decoded, and its metadata."""

    path: str
    requests: list[Any]
    metadata: dict[str, str]


@dataclass
class RecordingDaemon(grpc.GenericRpcHandler):
    """Answers every RPC with an empty message, or with `refusal`; `calls` grows with each."""

    refusal: tuple[grpc.StatusCode, str] | None = None
    calls: list[Recorded] = field(default_factory=list)

    def service(self, handler_call_details: Any) -> grpc.RpcMethodHandler[Any, Any]:
        method = methods()[handler_call_details.method]

        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            requests = list(request) if method.client_streaming else [request]
            metadata = {key: str(value) for key, value in context.invocation_metadata()}
            self.calls.append(Recorded(method.path, requests, metadata))
            if self.refusal:
                context.abort(*self.refusal)
            return method.response()

        make = (
            grpc.stream_unary_rpc_method_handler
            if method.client_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        return make(answer, method.request.FromString, method.response.SerializeToString)

    @contextmanager
    def listening(self, address: str, credentials: grpc.ServerCredentials | None = None) -> Iterator[int]:
        """Serves at `address` while the block runs; gives the port."""
        with futures.ThreadPoolExecutor(2) as threads:
            server = grpc.server(threads, handlers=(self,))
            port = (
                server.add_secure_port(address, credentials)
                if credentials
                else server.add_insecure_port(address)
            )
            server.start()
            try:
                yield port
            finally:
                server.stop(None).wait()
