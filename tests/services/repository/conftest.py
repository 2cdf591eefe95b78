"""A client of RepositoryService."""

from __future__ import annotations

import pytest

from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from tests.support.daemon import Daemon


@pytest.fixture
def repositories(daemon: Daemon) -> RepositoryServiceStub:
    return daemon.stub(RepositoryServiceStub)
