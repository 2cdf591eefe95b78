"""HTTP to the internal API: address, TLS, headers, and what a status means (transport.md 9.1)."""

from __future__ import annotations

import base64
import io
import json
import ssl
import time
import warnings
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import aiohttp
import jwt
import structlog

from gitaly_py import __version__
from gitaly_py.rails.errors import BadAnswer, InvalidApiUrl, RateLimited, Refused, Unreachable
from gitaly_py.rails.settings import InternalApiSettings
from gitaly_py.telemetry import tracing
from gitaly_py.telemetry.correlation import current_id
from gitaly_py.telemetry.tracing import Span

PREFIX = "/api/v4/internal"

_UNIX_SCHEME = "http+unix://"
_TOKEN_LIFE = 60
_BAD_REQUEST = 400
_TOO_MANY_REQUESTS = 429

# The secret is what GitLab was set up with, and `gitaly-py check` says nothing but what is wrong.
warnings.filterwarnings("ignore", message="The HMAC key is", module="jwt")

_log = structlog.get_logger("gitaly")


@dataclass(frozen=True, slots=True)
class Request:
    """One request. path: below PREFIX; body: sent as JSON unless None; remote_ip: whom it is made for."""

    method: str
    path: str
    body: dict[str, Any] | None = None
    query: Sequence[tuple[str, str]] = ()
    remote_ip: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer whose status is 200 to 399."""

    path: str
    status: int
    content_type: str
    body: bytes

    def document(self) -> dict[str, Any]:
        """The JSON object in the body. Raises BadAnswer."""
        media_type = self.content_type.partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise BadAnswer(
                f"{self.path} endpoint respond with unsupported content type: {self.content_type}"
            )
        try:
            document = json.loads(self.body)
        except ValueError as error:
            raise self.undecodable(str(error)) from error
        if not isinstance(document, dict):
            raise self.undecodable("not an object")
        return document

    def undecodable(self, why: str) -> BadAnswer:
        """The error for a body that is not what the endpoint promises."""
        return BadAnswer(f"decoding response from {self.path} endpoint: {why}")


class Stream(NamedTuple):
    """An answer of any status whose body is still to come."""

    status: int
    body: AsyncIterator[bytes]


class HttpClient:
    """Sends requests, each over a connection of its own, as Rails expects it.

    Raises InvalidApiUrl, and OSError or ssl.SSLError for unusable certificate files.
    """

    def __init__(self, settings: InternalApiSettings) -> None:
        self._settings = settings
        self._base, connector = _address(settings)
        timeout = aiohttp.ClientTimeout(total=settings.read_timeout, sock_connect=None)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
        )

    async def close(self) -> None:
        """Ends connections; no request may follow."""
        await self._session.close()

    async def send(self, request: Request) -> Response:
        """The answer to `request`. Raises RateLimited, Refused, Unreachable. Nothing is tried twice."""
        async with self._opened(request) as reply:
            content = await reply.read()
        if reply.status == _TOO_MANY_REQUESTS:
            raise RateLimited
        if not 200 <= reply.status <= 399:
            raise Refused(reply.status, _message(content))
        return Response(request.path, reply.status, reply.headers.get("Content-Type", ""), content)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Stream]:
        """The answer to `request`, to be read within the block. Raises Unreachable, then too."""
        async with self._opened(request) as reply:
            yield Stream(reply.status, reply.content.iter_any())

    @asynccontextmanager
    async def _opened(self, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        attributes = {"http.request.method": request.method, "url.path": PREFIX + request.path}
        name = f"{request.method} {PREFIX}{request.path}"
        with tracing.spanning(name, attributes, kind=tracing.Kind.CLIENT) as span:
            async with self._answered(request, span) as reply:
                if span is not None:
                    _describe(span, reply.status)
                yield reply

    @asynccontextmanager
    async def _answered(self, request: Request, span: Span | None) -> AsyncIterator[aiohttp.ClientResponse]:
        body = (
            None
            if request.body is None
            else io.BytesIO(json.dumps(request.body, separators=(",", ":")).encode())
        )
        try:
            async with self._session.request(
                request.method,
                self._base + PREFIX + request.path,
                params=list(request.query),
                data=body,
                headers=self._headers(request) | (span.carrier if span else {}),
                # A redirect would carry the secret's signature to a server nobody configured.
                allow_redirects=False,
            ) as reply:
                yield reply
        except (aiohttp.ClientError, TimeoutError) as error:
            _log.error(
                "internal API unreachable", path=request.path, error=str(error) or type(error).__name__
            )
            raise Unreachable from error

    def _headers(self, request: Request) -> dict[str, str]:
        headers = {
            "Gitlab-Shell-Api-Request": self._token(),
            "Content-Type": "application/json",
            "User-Agent": f"gitaly/{__version__}",
            "Connection": "close",
        }
        if current_id.get():
            headers["X-Request-ID"] = current_id.get()
        if request.remote_ip:
            headers["X-Forwarded-For"] = request.remote_ip
        if self._settings.user and self._settings.password:
            login = f"{self._settings.user}:{self._settings.password}".encode()
            headers["Authorization"] = "Basic " + base64.b64encode(login).decode()
        return headers

    def _token(self) -> str:
        now = int(time.time())
        claims = {"iss": "gitlab-shell", "iat": now, "exp": now + _TOKEN_LIFE}
        return jwt.encode(claims, self._settings.secret.strip(), "HS256")


def _address(settings: InternalApiSettings) -> tuple[str, aiohttp.BaseConnector]:
    url = unquote(settings.url)
    if url.startswith(_UNIX_SCHEME):
        root = settings.relative_url_root.strip("/")
        connector = aiohttp.UnixConnector(url.removeprefix(_UNIX_SCHEME), force_close=True)
        return ("http://unix/" + root).rstrip("/"), connector
    if url.startswith("http://"):
        return url.rstrip("/"), aiohttp.TCPConnector(force_close=True)
    if url.startswith("https://"):
        return url.rstrip("/"), aiohttp.TCPConnector(force_close=True, ssl=_tls(settings))
    raise InvalidApiUrl(settings.url)


def _tls(settings: InternalApiSettings) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.ca_file:
        context.load_verify_locations(settings.ca_file)
    if settings.ca_path:
        # One by one: OpenSSL itself would look only at files named by their hash.
        for file in sorted(Path(settings.ca_path).iterdir()):
            _trust(context, file)
    if settings.client_certificate:
        context.load_cert_chain(settings.client_certificate, settings.client_key or None)
    return context


def _trust(context: ssl.SSLContext, file: Path) -> None:
    if not file.is_file():
        return
    try:
        context.load_verify_locations(file)
    except ssl.SSLError as error:
        _log.warning(
            "no certificate in a file of gitlab.http-settings.ca_path", path=str(file), error=str(error)
        )


def _describe(span: Span, status: int) -> None:
    span.describe({"http.response.status_code": status})
    if status >= _BAD_REQUEST:
        span.fail(str(status))


def _message(content: bytes) -> str | None:
    """Rails' own words in the body of an error, or None."""
    try:
        document = json.loads(content)
    except ValueError:
        return None
    message = document.get("message", "") if isinstance(document, dict) else None
    return message if isinstance(message, str) else None
