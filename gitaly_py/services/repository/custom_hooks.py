"""GetCustomHooks and its deprecated twin BackupCustomHooks (storage-maintenance.md 7)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from gitaly_py.pb.repository_pb2 import BackupCustomHooksRequest, GetCustomHooksRequest
from gitaly_py.rpc.packer import STREAM_BYTES
from gitaly_py.rpc.status import during
from gitaly_py.services.app import Call
from gitaly_py.services.repository.service import service
from gitaly_py.storage.custom_hooks import custom_hooks
from gitaly_py.storage.repository import Repository
from gitaly_py.storage.threads import from_thread


@service.rpc()
async def get_custom_hooks(call: Call, request: GetCustomHooksRequest) -> AsyncIterator[bytes]:
    """A tar file of `custom_hooks`; no message if there is none."""
    async with aclosing(_hooks(call.repository)) as pieces:
        async for piece in pieces:
            yield piece


@service.rpc()
async def backup_custom_hooks(call: Call, request: BackupCustomHooksRequest) -> AsyncIterator[bytes]:
    """The same as GetCustomHooks."""
    async with aclosing(_hooks(call.repository)) as pieces:
        async for piece in pieces:
            yield piece


async def _hooks(repository: Repository) -> AsyncGenerator[bytes, None]:
    with during("reading custom hooks"):
        async with aclosing(from_thread(custom_hooks(repository), STREAM_BYTES)) as pieces:
            async for piece in pieces:
                yield piece
