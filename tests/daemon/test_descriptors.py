"""How many connections the daemon may have at a time."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import psutil
import pytest

from tests.daemon.conftest import NewDaemon

SOFT = 512


@pytest.fixture
def low_limit() -> Iterator[int]:
    """This process, and what it starts, may have few descriptors; gives the hard limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (SOFT, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_daemon_may_open_as_many_files_as_the_system_lets_it(
    new_daemon: NewDaemon, low_limit: int
) -> None:
    daemon = new_daemon().start()

    soft, hard = psutil.Process(daemon.pid).rlimit(psutil.RLIMIT_NOFILE)

    assert hard == low_limit
    assert soft == min(low_limit, 1 << 20) > SOFT
    assert daemon.stop() == 0
