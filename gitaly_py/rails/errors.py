"""Errors of the internal API.

    RailsError
    ├── InvalidApiUrl           a configured URL of no known form
    ├── UnknownMessageType      a post-receive message that cannot be printed
    └── InternalApiError        a call that gave no usable answer
        ├── Unreachable         no connection, or no answer in time
        ├── RateLimited         429
        ├── Refused             another status outside 200 to 399
        ├── BadAnswer           an answer that is not what the endpoint promises
        └── InvalidGlId         the pusher's identity is of no known form; nothing was sent

The texts of InternalApiError reach the user who pushes.
"""

from __future__ import annotations

from gitaly_py.git.wire.goquote import quote


class RailsError(Exception):
    """Root of everything this package raises."""


class InvalidApiUrl(RailsError):
    """`[gitlab] url` is neither http, https nor http+unix."""

    def __init__(self, url: str) -> None:
        super().__init__(f"unknown GitLab URL prefix: {quote(url)}")
        self.url = url


class UnknownMessageType(RailsError):
    """A message of type `kind` in the answer to /post_receive."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"invalid message type: {kind}")
        self.kind = kind


class InternalApiError(RailsError):
    """A call that failed. `context` is what the endpoint puts in front of the text, often nothing."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text
        self.context = ""

    def __str__(self) -> str:
        return f"{self.context}: {self.text}" if self.context else self.text


class Unreachable(InternalApiError):
    """No connection, a broken one, or no answer in time; the cause says which."""

    def __init__(self) -> None:
        super().__init__("Internal API unreachable")


class RateLimited(InternalApiError):
    """Rails asks for fewer calls."""

    def __init__(self) -> None:
        super().__init__("rate limited")


class Refused(InternalApiError):
    """Rails answered with an error; `text` is its own where it gave one, even an empty one."""

    def __init__(self, status: int, message: str | None) -> None:
        super().__init__(f"Internal API error ({status})" if message is None else message)
        self.status = status


class BadAnswer(InternalApiError):
    """An answer of another type or form than the endpoint's."""


class InvalidGlId(InternalApiError):
    """`gl_id` is neither `user-<number>`, `key-<number>` nor `username-<name>`."""

    def __init__(self, gl_id: str) -> None:
        super().__init__(f"setting gl_id: gl_id={quote(gl_id)} is invalid")
        self.gl_id = gl_id
