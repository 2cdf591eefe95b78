"""DiskStatistics: free and used space of the storages (repository.md, part C)."""

from __future__ import annotations

from gitaly_py.pb.server_pb2 import DiskStatisticsRequest, DiskStatisticsResponse
from gitaly_py.services.app import Call
from gitaly_py.services.server.service import service
from gitaly_py.storage.statistics import disk_usage


@service.rpc()
async def disk_statistics(call: Call, request: DiskStatisticsRequest) -> DiskStatisticsResponse:
    """Bytes for each storage; only the name of one that cannot be asked."""
    statuses = [await _status(name, call.app.storages.path(name)) for name in call.app.storages.names]
    return DiskStatisticsResponse(storage_statuses=statuses)


async def _status(name: str, path: str) -> DiskStatisticsResponse.StorageStatus:
    usage = await disk_usage(path)
    if usage is None:
        return DiskStatisticsResponse.StorageStatus(storage_name=name)
    return DiskStatisticsResponse.StorageStatus(storage_name=name, available=usage.available, used=usage.used)
