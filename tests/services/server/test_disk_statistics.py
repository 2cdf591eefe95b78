"""DiskStatistics (repository.md, part C)."""

from __future__ import annotations

import os

from gitaly_py.pb.server_pb2 import DiskStatisticsRequest, DiskStatisticsResponse
from gitaly_py.pb.server_pb2_grpc import ServerServiceStub
from tests.support.daemon import Daemon

Status = DiskStatisticsResponse.StorageStatus

DRIFT = 1 << 30
"""Others write to the same file system meanwhile."""


async def statuses(server: ServerServiceStub) -> list[Status]:
    return list((await server.DiskStatistics(DiskStatisticsRequest())).storage_statuses)


async def test_space_is_given_in_bytes_for_each_storage(server: ServerServiceStub, daemon: Daemon) -> None:
    found = await statuses(server)

    assert [each.storage_name for each in found] == ["default", "other", "gone"]
    space = os.statvfs(daemon.storage)
    for each in found[:2]:
        assert abs(each.available - space.f_bavail * space.f_bsize) < DRIFT
        assert abs(each.used - (space.f_blocks - space.f_bfree) * space.f_bsize) < DRIFT


async def test_a_storage_that_is_gone_has_only_its_name(server: ServerServiceStub) -> None:
    assert (await statuses(server))[2] == Status(storage_name="gone")
