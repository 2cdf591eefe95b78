"""A client of ServerService."""

from __future__ import annotations

import pytest

from gitaly_py.pb.server_pb2_grpc import ServerServiceStub
from tests.support.daemon import Daemon


@pytest.fixture
def server(daemon: Daemon) -> ServerServiceStub:
    return daemon.stub(ServerServiceStub)
