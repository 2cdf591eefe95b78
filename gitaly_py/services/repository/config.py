"""GetConfig: a repository's configuration file as it is (repository.md)."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator

from gitaly_py.pb.repository_pb2 import GetConfigRequest
from gitaly_py.rpc.packer import STREAM_BYTES
from gitaly_py.rpc.status import Internal, NotFound
from gitaly_py.services.app import Call
from gitaly_py.services.repository.service import service
from gitaly_py.storage.paths import reason_of


@service.rpc()
async def get_config(call: Call, request: GetConfigRequest) -> AsyncIterator[bytes]:
    """The bytes of the file, without what it includes. Raises NotFound when there is none."""
    path = f"{call.repository.path}/config"
    config = _opened(path)
    try:
        found = os.fstat(config)
        if stat.S_ISDIR(found.st_mode):
            raise Internal(f"read {path}: is a directory")
        if found.st_size <= STREAM_BYTES:
            # Hardly one is longer, and a thread costs more than reading it.
            yield os.read(config, STREAM_BYTES)
        else:
            while piece := await asyncio.to_thread(os.read, config, STREAM_BYTES):
                yield piece
    finally:
        os.close(config)


def _opened(path: str) -> int:
    """A descriptor, also of what would make its reader wait."""
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        text = f"opening gitconfig: open {path}: {reason_of(error)}"
        raise (NotFound if isinstance(error, FileNotFoundError) else Internal)(text) from error
