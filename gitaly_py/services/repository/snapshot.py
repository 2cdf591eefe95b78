"""GetSnapshot: a repository as a tar file (storage-maintenance.md 6)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from gitaly_py.pb.repository_pb2 import GetSnapshotRequest
from gitaly_py.rpc.status import during
from gitaly_py.services.app import Call
from gitaly_py.services.repository.service import service
from gitaly_py.storage.snapshot import snapshot
from gitaly_py.storage.threads import from_thread

PORTION = 512 * 1024
"""Bytes that a thread reads before they are sent."""


@service.rpc()
async def get_snapshot(call: Call, request: GetSnapshotRequest) -> AsyncIterator[bytes]:
    """References, objects and the format. An error may come after some of it was sent."""
    with during("building snapshot failed"):
        async with aclosing(from_thread(snapshot(call.repository), PORTION)) as pieces:
            async for piece in pieces:
                yield piece
