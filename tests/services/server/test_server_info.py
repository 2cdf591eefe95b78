"""ServerInfo (repository.md, part C)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from gitaly_py import __version__
from gitaly_py.pb.server_pb2 import ServerInfoRequest, ServerInfoResponse
from gitaly_py.pb.server_pb2_grpc import ServerServiceStub
from tests.support.daemon import Daemon

Status = ServerInfoResponse.StorageStatus


async def statuses(server: ServerServiceStub) -> list[Status]:
    return list((await server.ServerInfo(ServerInfoRequest())).storage_statuses)


async def test_the_versions_are_those_of_daemon_and_git(server: ServerServiceStub) -> None:
    found = await server.ServerInfo(ServerInfoRequest())

    assert found.server_version == __version__
    output = subprocess.run(["git", "version"], capture_output=True, text=True, check=True).stdout
    assert found.git_version == output.removeprefix("git version ").rstrip("\n")


async def test_storages_come_in_the_order_of_the_configuration(
    server: ServerServiceStub, daemon: Daemon
) -> None:
    found = await statuses(server)

    assert [each.storage_name for each in found] == ["default", "other", "gone"]
    for each, path in zip(found[:2], (daemon.storage, daemon.other_storage), strict=True):
        metadata = json.loads((path / ".gitaly-metadata").read_text())
        assert each.filesystem_id == metadata["gitaly_filesystem_id"] != ""
        assert each.readable
        assert each.writeable
        assert each.replication_factor == 1
        assert each.fs_type == each.fs_type.upper() or each.fs_type == "unknown"
    assert found[0].filesystem_id != found[1].filesystem_id


@pytest.mark.parametrize(
    ("mode", "readable", "writeable"), [(0o500, True, False), (0o300, False, True), (0o400, False, False)]
)
async def test_the_owners_mode_bits_say_what_can_be_done(
    server: ServerServiceStub, daemon: Daemon, mode: int, readable: bool, writeable: bool
) -> None:
    daemon.other_storage.chmod(mode)
    try:
        other = (await statuses(server))[1]
    finally:
        daemon.other_storage.chmod(0o755)

    assert (other.readable, other.writeable) == (readable, writeable)


async def test_a_storage_that_is_gone_is_reported(server: ServerServiceStub) -> None:
    assert (await statuses(server))[2] == Status(storage_name="gone", fs_type="unknown", replication_factor=1)


@pytest.mark.parametrize("content", ["", "{}", "[]", "no json", '{"gitaly_filesystem_id": 1}'])
async def test_unreadable_metadata_gives_no_id(
    server: ServerServiceStub, daemon: Daemon, content: str
) -> None:
    metadata: Path = daemon.other_storage / ".gitaly-metadata"
    before = metadata.read_text()
    metadata.write_text(content)
    try:
        other = (await statuses(server))[1]
    finally:
        metadata.write_text(before)

    assert other.filesystem_id == ""
    assert other.readable
