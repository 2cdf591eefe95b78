"""The state of a daemon's limiters, as its Prometheus listener tells it."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from gitaly_py.config import Config
from gitaly_py.config.errors import os_reason
from gitaly_py.limits.state import LimiterState

_PATH: Final = "/limits.json"
_TIMEOUT: Final = 10.0  # seconds
_ANYWHERE: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}
_NOT_FOUND: Final = 404

_DOCUMENT: Final = TypeAdapter(dict[str, Any])
_LIMITERS: Final = TypeAdapter(list[LimiterState])

# What is asked for is near; a proxy for other things has no part in it.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Unreachable(Exception):
    """The state is not to be had; the message says why."""


class Document(NamedTuple):
    """What a daemon answers. source: all of it."""

    source: dict[str, Any]
    limiters: list[LimiterState]


def limiters_address(config: Config) -> str:
    """The URL of the daemon's Prometheus listener; empty if it has none."""
    host, _, port = config.prometheus_listen_addr.rpartition(":")
    return f"http://{_ANYWHERE.get(host, host)}:{port}" if port else ""


def fetched(address: str) -> Document:
    """What the daemon at the URL `address` says. Raises Unreachable."""
    url = address.rstrip("/") + _PATH
    if urlsplit(url).scheme not in ("http", "https"):
        raise Unreachable(f'"{address}" is not the URL of a daemon: it begins with http:// or https://')
    return _document(url, _answer(url))


def _answer(url: str) -> bytes:
    try:
        with _opener.open(url, timeout=_TIMEOUT) as response:
            answer: bytes = response.read()
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == _NOT_FOUND:
            raise Unreachable(f"{url}: not found; a daemon of an earlier version does not tell") from error
        raise Unreachable(f"{url}: status {error.code}") from error
    except urllib.error.URLError as error:
        reason = os_reason(error.reason) if isinstance(error.reason, OSError) else error.reason
        raise Unreachable(f"{url}: {reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unreachable(f"{url}: {error or type(error).__name__}") from error
    return answer


def _document(url: str, answer: bytes) -> Document:
    try:
        source = _DOCUMENT.validate_json(answer)
        return Document(source, _LIMITERS.validate_python(source.get("limiters")))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        reason = f"{place}: {first['msg']}" if place else first["msg"]
        raise Unreachable(f"{url}: not the state of limiters: {reason}") from error
