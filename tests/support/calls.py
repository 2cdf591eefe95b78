"""Calls of each kind, for tests of what lies under them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc.aio
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from gitaly_py.pb.blob_pb2 import GetBlobRequest
from gitaly_py.pb.blob_pb2_grpc import BlobServiceStub
from gitaly_py.pb.commit_pb2 import FindCommitRequest
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from tests.support.repositories import Repo
from tests.support.smarthttp import begin_push, report
from tests.support.status import collect

SECONDS = 60


def stub(kind: Any, channel: Any) -> Any:
    """A client of one service, whose calls are not typed."""
    return kind(channel)


async def health(channel: grpc.aio.Channel) -> Any:
    """What the health service says of the daemon."""
    return (await stub(HealthStub, channel).Check(HealthCheckRequest(), timeout=SECONDS)).status


async def found(channel: grpc.aio.Channel, repo: Repo, **options: Any) -> str:
    """The commit of `main`, by a unary call."""
    request = FindCommitRequest(repository=repo.message, revision=b"main")
    response = await stub(CommitServiceStub, channel).FindCommit(request, timeout=SECONDS, **options)
    oid: str = response.commit.id
    return oid


async def blob(channel: grpc.aio.Channel, repo: Repo, oid: str) -> bytes:
    """A blob's data, by a stream of responses."""
    request = GetBlobRequest(repository=repo.message, oid=oid, limit=-1)
    messages = await collect(stub(BlobServiceStub, channel).GetBlob(request, timeout=SECONDS))
    return b"".join(message.data for message in messages)


async def pushed(
    channel: grpc.aio.Channel, repo: Repo, *pieces: bytes, metadata: Sequence[tuple[str, Any]] = ()
) -> list[str]:
    """The report of a push, by streams both ways, with a request message for each piece of its body."""
    messages = await collect(begin_push(channel, repo, pieces, metadata=metadata))
    return report(b"".join(message.data for message in messages))
