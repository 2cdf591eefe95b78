"""PackObjectsHookWithSidechannel: a pack for a `git upload-pack` of another program (transport.md 7.2)."""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from grpc import StatusCode

from gitaly_py.git.wire.goquote import quote
from gitaly_py.hooks.payload import Payload
from gitaly_py.packs.errors import InvalidPackObjectsCommand
from gitaly_py.packs.request import PackRequest
from gitaly_py.pb.hook_pb2 import (
    PackObjectsHookWithSidechannelRequest,
    PackObjectsHookWithSidechannelResponse,
)
from gitaly_py.rpc.status import Cancelled, Internal, InvalidArgument, during
from gitaly_py.services.app import Call
from gitaly_py.services.hook.service import service
from gitaly_py.services.packing import pack_admission, pack_request
from gitaly_py.transport.dialling import dialled
from gitaly_py.transport.pump import pump
from gitaly_py.transport.wire import Wire, receive

METADATA_KEY: Final = "gitaly-sidechannel-socket"
SOCKET_NAME: Final = "sidechannel"

MAX_STDIN: Final = 256 * 1024 * 1024
"""Bytes of wants and haves: some four million of them."""

_DIAL_SECONDS: Final = 1.0
_READ_BYTES: Final = 256 * 1024


@service.rpc(codes={InvalidPackObjectsCommand: StatusCode.INVALID_ARGUMENT})
async def pack_objects_hook_with_sidechannel(
    call: Call, request: PackObjectsHookWithSidechannelRequest
) -> PackObjectsHookWithSidechannelResponse:
    """Takes the standard input of pack-objects from a socket, and gives its output back as packets."""
    generation = call.app.generations.of(call.repository.path)
    pack = pack_request(call, request.args, b"", generation)
    pack.command()
    async with _sidechannel(call) as wire:
        with during("hook payload from env"):
            Payload.from_environment(request.environment_variables)
        with during("pack objects hook"):
            await _answer(call, replace(pack, stdin=await _input(wire)), request.remote_ip, wire)
    return PackObjectsHookWithSidechannelResponse()


@asynccontextmanager
async def _sidechannel(call: Call) -> AsyncIterator[Wire]:
    """The socket that the caller listens on; it is closed before the status goes out."""
    path = call.metadata.first(METADATA_KEY)
    if posixpath.basename(path) != SOCKET_NAME:
        raise InvalidArgument(f"invalid side channel address: {quote(path)}")
    with during("get side-channel"):
        wire = await dialled(f"unix://{path}", timeout=_DIAL_SECONDS)
    try:
        yield wire
    finally:
        wire.close()


async def _input(wire: Wire) -> bytes:
    """What the caller sends, until it shuts its direction down."""
    parts, size = [], 0
    while data := await receive(wire, _READ_BYTES):
        size += len(data)
        if size > MAX_STDIN:
            raise Internal(f"standard input of more than {MAX_STDIN} bytes")
        parts.append(data)
        await asyncio.sleep(0)
    return b"".join(parts)


async def _answer(call: Call, request: PackRequest, remote_ip: str, wire: Wire) -> None:
    """Sends the pack. Raises PackError, LimitReached; Cancelled when the caller is gone."""
    async with call.app.packs.open(request, lambda: pack_admission(call, remote_ip)) as pack:
        try:
            await pump(pack, wire)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Cancelled("broken pipe") from error
        pack.check()
