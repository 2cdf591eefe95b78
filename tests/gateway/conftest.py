"""A gateway in front of the shared daemon."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.daemon import Daemon
from tests.support.gateway import Gateway


@pytest.fixture(scope="session")
def gateway(daemon: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """It makes no repositories, and everyone needs a token."""
    started = Gateway(tmp_path_factory.mktemp("gateway"), daemon).start()
    yield started
    assert started.stop() == 0
    assert "Traceback" not in started.log.read_text()
