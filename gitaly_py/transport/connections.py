"""Who is connected: what a handler can ask about the connection its call came in on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gitaly_py.transport.yamux.driver import Driver

Kind = Literal["unix", "tcp", "tls"]


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """An accepted connection.

    address: the client's, as logged: `10.0.0.1:5000`, `[::1]:5000`, `@` for a unix socket.
    session: the yamux session, or None on a plain connection.
    """

    kind: Kind
    address: str
    session: Driver | None = None


class Connections:
    """Live connections by the name under which the RPC engine knows its peer."""

    def __init__(self) -> None:
        self._by_peer: dict[str, ConnectionInfo] = {}

    def __len__(self) -> int:
        return len(self._by_peer)

    def of(self, peer: str) -> ConnectionInfo | None:
        """The connection behind a peer, or None when it did not come through the front door."""
        return self._by_peer.get(peer)

    def add(self, peer: str, info: ConnectionInfo) -> None:
        """A connection is about to be handed to the engine as `peer`."""
        self._by_peer[peer] = info

    def remove(self, peer: str) -> None:
        """The connection of `peer` has ended."""
        del self._by_peer[peer]
