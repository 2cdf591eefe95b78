"""An engine without a network: one call made by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from google.protobuf.message import Message

from gitaly_py.rpc.adapter import Frame
from gitaly_py.rpc.exchange import Metadata
from gitaly_py.rpc.service import RepositoryRule, Service
from gitaly_py.rpc.status import Codes
from gitaly_py.rpc.steps import Steps


class HandMadeExchange:
    """Gives `requests` and keeps what is sent. `reading` is awaited before each message is taken."""

    def __init__(
        self,
        requests: Iterable[Message] = (),
        *,
        metadata: Iterable[tuple[str, str | bytes]] = (),
        deadline: float | None = None,
    ) -> None:
        self.metadata = Metadata.of(metadata)
        self.peer = "unix-abstract:test"
        self.sent: list[bytes] = []
        self.reading = asyncio.Event()
        self.reading.set()
        self._requests = [request.SerializeToString() for request in requests]
        self._deadline = deadline

    def time_remaining(self) -> float | None:
        return self._deadline

    async def receive(self) -> bytes | None:
        return self._requests.pop(0) if self._requests else None

    async def send(self, *parts: bytes) -> None:
        await self.reading.wait()
        self.sent.append(b"".join(parts))


def frame_of(
    *services: Service, steps: Steps | None = None, codes: Codes | None = None, resolve: Any = None
) -> Frame[Any, Any]:
    """A frame whose app is the text "app" and whose repositories are the messages themselves."""

    def itself(app: Any, message: Any, rule: RepositoryRule) -> Any:
        return message

    return Frame(
        "app", services=list(services), steps=steps or Steps(), resolve=resolve or itself, codes=codes or {}
    )
