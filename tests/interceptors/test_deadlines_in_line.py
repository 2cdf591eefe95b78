"""A call whose own deadline passes while it waits in line (daemon.md 5.1, 9)."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from gitaly_py.pb.errors_pb2 import LimitError
from gitaly_py.pb.repository_pb2 import ObjectsSizeRequest
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.http2_client import Client, Reply, request_fields
from tests.support.metrics import Metrics, free_port, metrics_when

PATH = "/gitaly.RepositoryService/ObjectsSize"
LIMIT = f"""
[[concurrency]]
rpc = "{PATH}"
max_concurrency = 1
max_queue_size = 5
max_queue_wait = "1m"
"""


def limit_error(reply: Reply) -> LimitError:
    encoded = reply.trailers["grpc-status-details-bin"]
    status = Status.FromString(base64.b64decode(encoded + "=" * (-len(encoded) % 4)))
    found = LimitError()
    assert status.details[0].Unpack(found)
    return found


@pytest.mark.parametrize("workers", [1, 2], ids=["slots of the worker", "slots of the coordinator"])
async def test_it_has_waited_for_too_long(tmp_path_factory: pytest.TempPathFactory, workers: int) -> None:
    port = free_port()
    options: dict[str, Any] = {"extra": f'prometheus_listen_addr = "127.0.0.1:{port}"', "tables": LIMIT}
    daemon = Daemon(tmp_path_factory.mktemp("limits"), engine="native", workers=workers, **options).start()
    try:
        repo = repository_in(daemon.storage)
        repo.commit(ref="refs/heads/main")
        request = ObjectsSizeRequest(repository=repo.message, revisions=[b"main"])
        async with Client(*await asyncio.open_unix_connection(str(daemon.socket))) as client:
            client.greet()
            # Has the only slot until its request ends.
            client.open(PATH, request, end=False)
            await client.synchronized()
            waiting = client.open(PATH, request, fields=request_fields(PATH, grpc_timeout="300m"))

            reply = await client.reply(waiting)

        assert reply.code is StatusCode.DEADLINE_EXCEEDED
        assert reply.text == limit_error(reply).error_message == "maximum time in concurrency queue reached"
        # It is a stream, which says what it has cost.
        assert "x-gitaly-cost" in reply.trailers
        entry = await daemon.access_entry("ObjectsSize", **{"grpc.code": "DeadlineExceeded"})
        assert entry["limit.concurrency_dropped"] == "max_time"
        assert entry["limit.concurrency_queue_ms"] >= 290

        def is_counted(metrics: Metrics) -> bool:
            return metrics.total("gitaly_requests_dropped_total", reason="max_time") == 1

        assert is_counted(await metrics_when(port, is_counted))
    finally:
        assert daemon.stop() == 0
