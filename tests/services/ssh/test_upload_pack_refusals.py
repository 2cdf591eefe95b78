"""Calls of SSHUploadPackWithSidechannel that come to nothing before git runs."""

from __future__ import annotations

from typing import Any

import grpc.aio
import pytest
from grpc import StatusCode

from gitaly_py.pb.ssh_pb2 import SSHUploadPackWithSidechannelRequest
from gitaly_py.pb.ssh_pb2_grpc import SSHServiceStub
from gitaly_py.transport.client import MultiplexedConnection
from gitaly_py.transport.sidechannel import METADATA_KEY
from tests.support.daemon import Daemon
from tests.support.repositories import Repo
from tests.support.smarthttp import Fetched, Talk, sending
from tests.support.ssh import failure_of, fetch_over_ssh
from tests.support.status import refused


async def fetch(connection: MultiplexedConnection, repo: Repo, talk: Talk, **fields: Any) -> Fetched:
    request = SSHUploadPackWithSidechannelRequest(repository=repo.message, **fields)
    return await fetch_over_ssh(connection, request, talk)


async def test_an_option_without_a_value_is_refused(connection: MultiplexedConnection, repo: Repo) -> None:
    fetched = await fetch(connection, repo, sending(b""), git_config_options=["a.b=c", "novalue"])

    text = 'running upload-pack: cannot convert invalid config key: "novalue"'
    assert failure_of(fetched) == (StatusCode.INTERNAL, text)
    assert fetched.answer == b""


async def test_an_option_with_a_bad_key_fails_the_start_of_git(
    connection: MultiplexedConnection, repo: Repo
) -> None:
    fetched = await fetch(connection, repo, sending(b""), git_config_options=["nodot=1"])

    code, text = failure_of(fetched)
    assert code is StatusCode.INTERNAL
    assert str(text).startswith("running upload-pack: start cmd: invalid configuration key")


async def post(channel: grpc.aio.Channel, repo: Repo, *metadata: tuple[str, str]) -> Any:
    stub: Any = SSHServiceStub(channel)  # type: ignore[no-untyped-call]
    request = SSHUploadPackWithSidechannelRequest(repository=repo.message)
    return await stub.SSHUploadPackWithSidechannel(request, metadata=metadata, timeout=60)


async def test_a_call_must_name_its_side_channel(
    connection: MultiplexedConnection, daemon: Daemon, repo: Repo
) -> None:
    text = "opennig sidechannel: sidechannel: sidechannel-id not found in incoming metadata"
    for channel in (connection.channel(), daemon.channel):
        async with refused(StatusCode.INTERNAL, text):
            await post(channel, repo)


async def test_a_plain_connection_has_no_side_channels(daemon: Daemon, repo: Repo) -> None:
    text = "opennig sidechannel: sidechannel: fail to extract mux session: non-multiplexed connection"
    async with refused(StatusCode.INTERNAL, text):
        await post(daemon.channel, repo, (METADATA_KEY, "0"))


@pytest.mark.parametrize("number", ["999999999", "-1", "no number"])
async def test_an_unknown_side_channel_may_not_be_tried_again(
    connection: MultiplexedConnection, repo: Repo, number: str
) -> None:
    async with refused(StatusCode.INTERNAL, "opennig sidechannel: sidechannel: EOF"):
        await post(connection.channel(), repo, (METADATA_KEY, number))
