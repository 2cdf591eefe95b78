"""Who may fetch and push: tokens of the configuration, as bearer or as password of basic authentication."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping

from aiohttp import web

from gitaly_py.config.gateway import GatewayConfig, Token

_ASK = {"WWW-Authenticate": 'Basic realm="git"'}


class Access:
    """Decides by the `Authorization` header of a request."""

    def __init__(self, config: GatewayConfig) -> None:
        self._tokens = config.token
        self._anonymous_read = config.anonymous_read

    def check(self, headers: Mapping[str, str], *, write: bool) -> str:
        """The name of whoever may do this, empty for an anonymous reader.

        Raises HTTPUnauthorized without a valid token, HTTPForbidden when the token may not do it.
        """
        header = headers.get("Authorization", "")
        if not header:
            if write or not self._anonymous_read:
                raise web.HTTPUnauthorized(headers=_ASK, text="authentication required\n")
            return ""
        token = self._token(header)
        if token is None:
            raise web.HTTPUnauthorized(headers=_ASK, text="invalid credentials\n")
        if not (token.write if write else token.read or self._anonymous_read):
            raise web.HTTPForbidden(text=f"{token.name} may not {'push' if write else 'fetch'}\n")
        return token.name

    def _token(self, header: str) -> Token | None:
        scheme, _, rest = header.partition(" ")
        if scheme.lower() == "bearer":
            return self._find(rest.strip(), name=None)
        if scheme.lower() == "basic":
            try:
                user, separator, password = base64.b64decode(rest, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return None
            return self._find(password, name=user) if separator else None
        return None

    def _find(self, secret: str, *, name: str | None) -> Token | None:
        """Compares with every token, so that the time taken does not tell which one was nearest."""
        found = None
        for token in self._tokens:
            # Headers may hold bytes that are no UTF-8.
            same = hmac.compare_digest(token.token.encode(), secret.encode("utf-8", "surrogateescape"))
            if same and token.token and name in (None, token.name):
                found = token
        return found
