"""One RPC as an engine sees it: encoded messages in, encoded messages and a status out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gitaly_py.rpc.status import Status


class Metadata:
    """Request metadata: keys are lower case, a key may have several values."""

    __slots__ = ("_values",)

    def __init__(self, pairs: Sequence[tuple[str, str | bytes]]) -> None:
        values: dict[str, list[str | bytes]] = {}
        for key, value in pairs:
            values.setdefault(key, []).append(value)
        self._values: Mapping[str, list[str | bytes]] = values

    def all(self, key: str) -> list[str]:
        """Every value of `key`, in order."""
        return [_text(value) for value in self._values.get(key, ())]

    def first(self, key: str, default: str = "") -> str:
        """The first value of `key`."""
        values = self._values.get(key)
        return _text(values[0]) if values else default

    def last(self, key: str, default: str = "") -> str:
        """The last value of `key`."""
        values = self._values.get(key)
        return _text(values[-1]) if values else default

    def only(self, key: str) -> str:
        """The value of `key` if it has exactly one, else an empty text (daemon.md 4.2)."""
        values = self._values.get(key)
        return _text(values[0]) if values and len(values) == 1 else ""

    def binary(self, key: str) -> bytes:
        """The first value of a `-bin` key."""
        values = self._values.get(key)
        if not values:
            return b""
        return values[0] if isinstance(values[0], bytes) else values[0].encode()

    def with_prefix(self, prefix: str) -> dict[str, str]:
        """The first value of each key that begins with `prefix`, by the rest of the key."""
        return {
            key[len(prefix) :]: _text(values[0])
            for key, values in self._values.items()
            if key.startswith(prefix)
        }

    def __contains__(self, key: str) -> bool:
        return key in self._values


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


class Exchange(Protocol):
    """What an engine offers for one RPC. Messages are encoded; the frame decodes and encodes them."""

    metadata: Metadata
    peer: str
    """The name of the connection the call came in on."""

    def time_remaining(self) -> float | None:
        """Seconds until the call's deadline, None without one."""

    async def receive(self) -> bytes | None:
        """The next request message, None after the client's half-close."""

    async def send(self, message: bytes) -> None:
        """Sends a response message; waits while the client does not read."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended. response: the one message of a call without a response stream."""

    status: Status
    response: bytes | None = None
    trailers: tuple[tuple[str, str], ...] = ()
