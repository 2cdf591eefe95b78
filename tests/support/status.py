"""Asserting how calls end."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import grpc.aio
import pytest
from google.protobuf import symbol_database
from google.protobuf.message import Message
from google.rpc import status_pb2
from grpc import StatusCode

T = TypeVar("T")


@asynccontextmanager
async def refused(code: StatusCode, text: str | None = None, *details: Message) -> AsyncIterator[None]:
    """The block must raise an RPC error with this code, exactly this text (None: any) and these details."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        yield
    error = raised.value
    assert (error.code(), error.details() if text is not None else None) == (code, text), error
    assert details_of(error) == list(details)


def details_of(error: grpc.aio.AioRpcError) -> list[Message]:
    """The messages in the status' details."""
    found: list[Message] = []
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = status_pb2.Status.FromString(value)
            for detail in status.details:
                message: Any = symbol_database.Default().GetSymbol(detail.TypeName())()
                assert detail.Unpack(message)
                found.append(message)
    return found


async def collect(stream: AsyncIterable[T]) -> list[T]:
    """Every message of a response stream."""
    return [message async for message in stream]


async def broken_off(stream: AsyncIterable[T]) -> tuple[list[T], grpc.aio.AioRpcError]:
    """What a response stream sends before the error that it must end with, and that error."""
    messages: list[T] = []
    try:
        async for message in stream:
            messages.append(message)  # noqa: PERF401 - what came before the error is wanted
    except grpc.aio.AioRpcError as error:
        return messages, error
    raise AssertionError("the stream ended without an error")
