"""A daemon that a Prometheus watches with the files of `deploy/`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
import pytest_asyncio

from gitaly_py.pb.repository_pb2 import RepositoryExistsRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.metrics import free_port
from tests.support.prometheus import Prometheus


class Exposed(NamedTuple):
    """A daemon, and the port of its metrics."""

    daemon: Daemon
    port: int


@pytest_asyncio.fixture(scope="package")
async def exposed(tmp_path_factory: pytest.TempPathFactory, engine: str) -> AsyncIterator[Exposed]:
    """A daemon whose metrics can be read."""
    port = free_port()
    extra = f'prometheus_listen_addr = "127.0.0.1:{port}"'
    daemon = Daemon(tmp_path_factory.mktemp("exposed"), engine=engine, extra=extra).start()
    yield Exposed(daemon, port)
    await daemon.close_channel()
    assert daemon.stop() == 0


@pytest_asyncio.fixture(scope="package")
async def prometheus(tmp_path_factory: pytest.TempPathFactory, exposed: Exposed) -> AsyncIterator[Prometheus]:
    """One that scrapes that daemon, and has seen it answer a call."""
    watching = Prometheus(tmp_path_factory.mktemp("prometheus"), f"127.0.0.1:{exposed.port}")
    try:
        await watching.start()
        # A rate needs a scrape from before the call.
        await watching.when("query", lambda data: data["result"], query='up{job="gitaly"} == 1')
        repo = repository_in(exposed.daemon.storage)
        stub = exposed.daemon.stub(RepositoryServiceStub)
        assert (await stub.RepositoryExists(RepositoryExistsRequest(repository=repo.message))).exists
        yield watching
    finally:
        status = watching.stop()
    assert status == 0
