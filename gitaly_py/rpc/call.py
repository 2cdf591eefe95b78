"""What a handler sees of the call it serves."""

from __future__ import annotations

import time
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from gitaly_py.rpc.exchange import Exchange, Metadata
from gitaly_py.rpc.methods import Method
from gitaly_py.rpc.status import OK, Status
from gitaly_py.telemetry.fields import Fields

AppT = TypeVar("AppT")
RepositoryT = TypeVar("RepositoryT")


class Call(Generic[AppT, RepositoryT]):
    """One RPC in progress.

    app: the parts of the daemon that handlers use. first: the (first) request message, None until it
    is there. target: the Repository message that it names, as the client sent it. repository: what that
    was resolved to; unset for RPCs without one.
    request_bytes, response_bytes: encoded message bytes so far.
    """

    __slots__ = (
        "_began",
        "_ended",
        "app",
        "correlation_id",
        "fields",
        "first",
        "messages_received",
        "messages_sent",
        "metadata",
        "method",
        "peer",
        "repository",
        "request_bytes",
        "response_bytes",
        "started",
        "status",
        "target",
        "time_limit",
        "trailers",
    )

    repository: RepositoryT

    def __init__(self, method: Method, app: AppT, exchange: Exchange, fields: Fields) -> None:
        self.method = method
        self.app = app
        self.metadata: Metadata = exchange.metadata
        self.peer = exchange.peer
        self.started = time.time()
        self._began = time.monotonic()
        self._ended: float | None = None
        self.time_limit = exchange.time_remaining()
        self.fields = fields
        self.first: Message | None = None
        self.target: Any | None = None
        self.status: Status = OK
        self.trailers: list[tuple[str, str]] = []
        self.correlation_id = ""
        self.request_bytes = 0
        self.response_bytes = 0
        self.messages_received = 0
        self.messages_sent = 0

    def end(self) -> None:
        """The call is over; whatever is still to be reported of it does not count into its time."""
        self._ended = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long the call took, or has taken so far."""
        return (time.monotonic() if self._ended is None else self._ended) - self._began

    @property
    def deadline(self) -> float | None:
        """The call's deadline in Unix seconds, None without one."""
        return None if self.time_limit is None else self.started + self.time_limit
