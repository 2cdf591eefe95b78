"""Calls to a running daemon: addresses, connections and tokens (daemon.md 2.1, 3)."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import grpc

from gitaly_py.config import Config
from gitaly_py.rpc.credentials import bearer

_OPTIONS = (("grpc.keepalive_time_ms", 20_000), ("grpc.keepalive_permit_without_calls", 1))


class UnsupportedAddress(ValueError):
    """The address has none of the schemes `unix:`, `tcp://`, `tls://`, `dns:` and `dns+tls:`."""

    def __init__(self, address: str) -> None:
        super().__init__(f'unsupported address: "{address}"')
        self.address = address


class Target(NamedTuple):
    """What gRPC is told: where to connect, and whether with TLS."""

    name: str
    tls: bool


def target_of(address: str) -> Target:
    """How gRPC calls `address`; raises UnsupportedAddress."""
    scheme, _, rest = address.partition(":")
    name = rest.removeprefix("//")
    is_host_and_port = bool(name) and "/" not in name
    if scheme in ("tcp", "tls") and rest.startswith("//") and is_host_and_port:
        return Target(name, tls=scheme == "tls")
    if scheme in ("dns", "dns+tls") and rest:
        return Target(f"dns:{rest}", tls=scheme == "dns+tls")
    if scheme == "unix" and name:
        return Target(address, tls=False)
    raise UnsupportedAddress(address)


def daemon_address(config: Config) -> str:
    """Where the daemon of `config` listens: its socket, else TCP, else TLS; empty if nowhere."""
    if config.socket_path:
        return f"unix:{config.socket_path}"
    if config.listen_addr:
        return f"tcp://{_dialable(config.listen_addr)}"
    return f"tls://{_dialable(config.tls_listen_addr)}" if config.tls_listen_addr else ""


def dial(address: str, token: str) -> grpc.Channel:
    """A channel to the daemon at `address` whose calls carry a fresh token each; raises UnsupportedAddress.

    token: the shared secret; without one nothing is sent.
    """
    target = target_of(address)
    if target.tls:
        credentials = grpc.ssl_channel_credentials(_trusted_certificates())
        channel = grpc.secure_channel(target.name, credentials, options=_OPTIONS)
    else:
        channel = grpc.insecure_channel(target.name, options=_OPTIONS)
    return grpc.intercept_channel(channel, _Signed(token)) if token else channel


@dataclass(frozen=True)
class _Details(grpc.ClientCallDetails):
    """What gRPC wants to know of a call."""

    method: str
    timeout: float | None
    metadata: Any
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None


class _Signed(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Adds a token to every call. Call credentials would do the same, but only over TLS."""

    def __init__(self, token: str) -> None:
        self._token = token

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return continuation(self._signed(client_call_details), request)

    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return continuation(self._signed(client_call_details), request)

    def intercept_stream_unary(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return continuation(self._signed(client_call_details), request_iterator)

    def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return continuation(self._signed(client_call_details), request_iterator)

    def _signed(self, details: Any) -> _Details:
        token = ("authorization", bearer(self._token, int(time.time())))
        return _Details(
            details.method,
            details.timeout,
            [*(details.metadata or ()), token],
            details.credentials,
            details.wait_for_ready,
            details.compression,
        )


def _dialable(listen_address: str) -> str:
    return f"localhost{listen_address}" if listen_address.startswith(":") else listen_address


def _trusted_certificates() -> bytes | None:
    """The system's authorities, or those of SSL_CERT_FILE and SSL_CERT_DIR; None for gRPC's own list."""
    paths = ssl.get_default_verify_paths()
    files = [Path(paths.cafile)] if paths.cafile else []
    for folder in (paths.capath or "").split(":"):
        files.extend(file for file in sorted(Path(folder).glob("*")) if folder and file.is_file())
    return b"\n".join(file.read_bytes() for file in files) or None
