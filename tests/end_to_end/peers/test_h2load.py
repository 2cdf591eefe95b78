"""h2load: thousands of requests on many connections, and many streams on each."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from google.protobuf.message import Message
from grpc_health.v1.health_pb2 import HealthCheckRequest

from gitaly_py.pb.blob_pb2 import GetBlobRequest
from gitaly_py.pb.commit_pb2 import FindCommitRequest
from tests.support.nghttp import GRPC
from tests.support.peers import KINDS, Served, framed, needs, run
from tests.support.smarthttp import stored_blob

pytestmark = needs("h2load", "nghttp2-client")

CHECK = "/grpc.health.v1.Health/Check"
MIB = 1 << 20


async def load(native: Served, kind: str, path: str, request: Message, body: Path, *more: str) -> list[int]:
    """How many requests were done, succeeded, failed, and how many octets of data came."""
    body.write_bytes(framed(request))
    socket = [f"-Bunix:{native.daemon.socket}"] if kind == "unix" else []
    finished = await run("h2load", *GRPC, f"-d{body}", *socket, *more, native.url(kind, path))
    text = finished.stdout.decode()
    requests = re.search(r"(\d+) done, (\d+) succeeded, (\d+) failed", text)
    statuses = re.search(r"status codes: (\d+) 2xx", text)
    data = re.search(r"headers \(.*\), \S+ \((\d+)\) data", text)
    assert finished.status == 0, text
    assert requests, text
    assert statuses, text
    assert data, text
    assert statuses[1] == requests[1], text
    return [*map(int, requests.groups()), int(data[1])]


@pytest.mark.parametrize("kind", KINDS)
async def test_thousands_of_calls_all_succeed(native: Served, tmp_path: Path, kind: str) -> None:
    request = HealthCheckRequest()

    done = await load(native, kind, CHECK, request, tmp_path / "body", "-n5000", "-c20", "-m100")

    assert done == [5000, 5000, 0, 5000 * 7]


async def test_a_connection_may_have_a_thousand_calls_at_a_time(native: Served, tmp_path: Path) -> None:
    repo = native.repo()
    repo.history(1, "refs/heads/main")
    request = FindCommitRequest(repository=repo.message, revision=b"main")
    path = "/gitaly.CommitService/FindCommit"

    done = await load(native, "unix", path, request, tmp_path / "body", "-n2000", "-c1", "-m1000")

    assert done[:3] == [2000, 2000, 0]
    assert done[3] > 2000 * 100


@pytest.mark.parametrize("window", ["-w16", "-w30"])
@pytest.mark.parametrize("kind", KINDS)
async def test_large_streams_come_whole(native: Served, tmp_path: Path, kind: str, window: str) -> None:
    repo = native.repo()
    oid = stored_blob(repo, os.urandom(MIB))
    request = GetBlobRequest(repository=repo.message, oid=oid, limit=-1)
    options = ("-n40", "-c4", "-m5", window, "-W30")

    done = await load(native, kind, "/gitaly.BlobService/GetBlob", request, tmp_path / "body", *options)

    assert done[:3] == [40, 40, 0]
    assert 40 * MIB < done[3] < 40 * (MIB + 1000)


async def test_connections_that_do_one_call_each_all_succeed(native: Served, tmp_path: Path) -> None:
    done = await load(native, "tcp", CHECK, HealthCheckRequest(), tmp_path / "body", "-n200", "-c200")

    assert done[:3] == [200, 200, 0]
