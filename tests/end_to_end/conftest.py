"""A gateway in front of the shared daemon, a git client a protocol version, and stubs for Ruby."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.support.gateway import Gateway
from tests.support.plain_git import PlainGit
from tests.support.ruby import generate


@pytest.fixture(scope="session")
def gateway(daemon: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    started = Gateway(tmp_path_factory.mktemp("gateway"), daemon, extra="create_on_push = true").start()
    yield started
    assert started.stop() == 0
    assert "Traceback" not in started.log.read_text()


@pytest.fixture(params=[0, 2], ids=["v0", "v2"])
def git(request: pytest.FixtureRequest, tmp_path: Path) -> PlainGit:
    return PlainGit(tmp_path / "home", protocol=request.param)


@pytest.fixture(scope="session")
def ruby_stubs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ruby's side of every service."""
    return generate(tmp_path_factory.mktemp("stubs"))
