"""One RPC as an engine sees it: encoded messages in, encoded messages and a status out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from gitaly_py.rpc.status import Status

Value = str | bytes | tuple[str | bytes, ...]
"""One value, or a tuple of several; those of `-bin` keys are bytes."""


class Metadata:
    """Request metadata: keys are lower case, a key may have several values."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = values

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str | bytes]]) -> Metadata:
        """Puts the values of each key together."""
        values: dict[str, Value] = {}
        for key, value in pairs:
            values[key] = (*_several(values[key]), value) if key in values else value
        return cls(values)

    def all(self, key: str) -> list[str]:
        """Every value of `key`, in order."""
        return [_text(value) for value in _several(self._values.get(key, ()))]

    def first(self, key: str, default: str = "") -> str:
        """The first value of `key`."""
        value = self._values.get(key, default)
        return value if isinstance(value, str) else _text(_several(value)[0])

    def last(self, key: str, default: str = "") -> str:
        """The last value of `key`."""
        value = self._values.get(key, default)
        return value if isinstance(value, str) else _text(_several(value)[-1])

    def only(self, key: str) -> str:
        """The value of `key` if it has exactly one, else an empty text (daemon.md 4.2)."""
        value = self._values.get(key, "")
        if type(value) is str:
            return value
        return "" if isinstance(value, tuple) else _text(value)

    def binary(self, key: str) -> bytes:
        """The first value of a `-bin` key."""
        value = _several(self._values.get(key, b""))[0]
        return value if isinstance(value, bytes) else value.encode()

    def keys_with(self, prefix: str, value: str) -> list[str]:
        """The keys that begin with `prefix` and have `value` as their first value."""
        found = self._values
        keys = _beginning(prefix, tuple(found))
        return [key for key in keys if found[key] == value or self.first(key) == value]

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: str) -> bool:
        return key in self._values


@lru_cache(maxsize=256)
def _beginning(prefix: str, keys: tuple[str, ...]) -> list[str]:
    """Those of the keys; a client sends the same ones with each of its calls."""
    return [key for key in keys if key.startswith(prefix)]


def _several(value: Value) -> tuple[str | bytes, ...]:
    return value if isinstance(value, tuple) else (value,)


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
        """The next request message, None after the client's half-close.

        A request that was cut off never ends so: its handler is cancelled, lest it take half a request for
        a whole one. Raises an RpcError for a message that can't be taken.
        """

    async def send(self, *parts: bytes) -> None:
        """Sends a response message, given in parts so that nobody need put it together.

        Waits while the client does not read.
        """


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended. response: the one message of a call without a response stream."""

    status: Status
    response: bytes | None = None
    trailers: tuple[tuple[str, str], ...] = ()


class Expired(asyncio.CancelledError):
    """A call was cancelled since its deadline has passed. outcome: for a client that still listens."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.status.message)
        self.outcome = outcome
