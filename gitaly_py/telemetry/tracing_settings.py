"""Whether and where traces go, as the environment of the daemon says (daemon.md 1.6)."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

CONNECTION = "GITLAB_TRACING"

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL = "http/protobuf"
_PORT = 4318
_PATH = "/v1/traces"
_LOCAL = ("localhost", "127.0.0.1", "::1")
_OPTIONS = frozenset({"service_name", "sampler", "sampler_param", "insecure"})


class InvalidConnection(ValueError):
    """`GITLAB_TRACING` can't be followed; its text may hold a password and is not repeated."""


@dataclass(frozen=True)
class TracingSettings:
    """What a connection string chooses; the standard variables of OpenTelemetry say all else.

    endpoint: URL that spans are posted to; headers: of these requests; ratio: share of the traces begun here
    that are kept. Each is None or empty where the standard variables decide. unsupported: parts of the
    connection string, or variables, that make no difference here.
    """

    endpoint: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    service_name: str = ""
    ratio: float | None = None
    unsupported: tuple[str, ...] = ()


def settings_of(environment: Mapping[str, str]) -> TracingSettings | None:
    """What `environment` asks for, None for no traces. Raises InvalidConnection.

    `GITLAB_TRACING=otlp://host:port` has the forms of GitLab's other components: the port is 4318 unless
    given, and spans go over TLS to any host but this one. `?insecure=true` does without TLS.
    """
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    connection = environment.get(CONNECTION, "")
    if connection:
        return _of_connection(connection)
    if environment.get("OTEL_TRACES_EXPORTER") == "none" or not any(map(environment.get, _ENDPOINTS)):
        return None
    protocol = next(filter(None, map(environment.get, _PROTOCOLS)), _PROTOCOL)
    return TracingSettings(unsupported=() if protocol == _PROTOCOL else (f"protocol {protocol}",))


def _of_connection(connection: str) -> TracingSettings:
    url = urlsplit(connection)
    if url.scheme != "otlp":
        raise InvalidConnection(f"{CONNECTION}: no tracer for {url.scheme or 'this'}://, only for otlp://")
    try:
        host, port = url.hostname, url.port or _PORT
    except ValueError as error:
        raise InvalidConnection(f"{CONNECTION}: the port is no number from 0 to 65535") from error
    if not host:
        raise InvalidConnection(f"{CONNECTION}: no host")
    if host == "console":
        raise InvalidConnection(f"{CONNECTION}: spans can't go to the console, where the logs are")
    options = dict(parse_qsl(url.query, keep_blank_values=True))
    is_plain = host in _LOCAL or options.get("insecure") == "true"
    address = f"[{host}]" if ":" in host else host
    return TracingSettings(
        endpoint=f"{'http' if is_plain else 'https'}://{address}:{port}{_path(url)}",
        headers=dict(_login(url)),
        service_name=options.get("service_name", ""),
        ratio=_ratio(options),
        unsupported=tuple(sorted(options.keys() - _OPTIONS)),
    )


def _path(url: SplitResult) -> str:
    return url.path if url.path not in ("", "/") else _PATH


def _login(url: SplitResult) -> Iterator[tuple[str, str]]:
    if url.username is not None:
        login = f"{unquote(url.username)}:{unquote(url.password or '')}".encode()
        yield "Authorization", f"Basic {base64.b64encode(login).decode()}"


def _ratio(options: Mapping[str, str]) -> float | None:
    """`sampler` is `const` or `probabilistic`; `sampler_param` a share from 0 to 1, which is the default."""
    if "sampler" not in options:
        return None
    if options["sampler"] not in ("const", "probabilistic"):
        raise InvalidConnection(f"{CONNECTION}: sampler is neither const nor probabilistic")
    try:
        ratio = float(options.get("sampler_param", "1"))
    except ValueError as error:
        raise InvalidConnection(f"{CONNECTION}: sampler_param is no number") from error
    if not 0 <= ratio <= 1:
        raise InvalidConnection(f"{CONNECTION}: sampler_param is not from 0 to 1")
    return ratio
