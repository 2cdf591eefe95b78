"""ServerInfo: versions and the state of the storages (repository.md, part C)."""

from __future__ import annotations

from gitaly_py.pb.server_pb2 import ServerInfoRequest, ServerInfoResponse
from gitaly_py.services.app import Call
from gitaly_py.services.server.service import service
from gitaly_py.storage.statistics import storage_status


@service.rpc()
async def server_info(call: Call, request: ServerInfoRequest) -> ServerInfoResponse:
    """What GitLab's administrators see, and what tells Rails that it shares a file system with us."""
    statuses = [await _status(name, call.app.storages.path(name)) for name in call.app.storages.names]
    return ServerInfoResponse(
        server_version=call.app.version, git_version=call.app.git.version, storage_statuses=statuses
    )


async def _status(name: str, path: str) -> ServerInfoResponse.StorageStatus:
    status = await storage_status(path)
    return ServerInfoResponse.StorageStatus(
        storage_name=name,
        readable=status.readable,
        writeable=status.writeable,
        fs_type=status.fs_type,
        filesystem_id=status.filesystem_id,
        replication_factor=1,
    )
