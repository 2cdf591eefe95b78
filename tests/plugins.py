"""Loads the fixtures of `tests/support`, one subject a module; lets the suite run over either RPC engine."""

from __future__ import annotations

import importlib.metadata

import pytest
from hypothesis import HealthCheck, settings

from gitaly_py.config.rpc import DEFAULT_ENGINE, ENGINES

pytest_plugins = ["tests.support.fixtures"]

# How long an example takes says nothing on a busy machine.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("gitaly", "RPC engines")
    group.addoption(
        "--engine", choices=ENGINES, default=DEFAULT_ENGINE, help="what speaks gRPC in the daemons under test"
    )
    group.addoption(
        "--only-daemon", action="store_true", help="leave out the tests that run alike over every engine"
    )


def pytest_report_header(config: pytest.Config) -> str:
    """Says which versions are under test."""
    import subprocess

    import pygit2

    git = subprocess.run(["git", "version"], capture_output=True, text=True, check=True).stdout.split()[2]
    grpcio = importlib.metadata.version("grpcio")
    engine = config.getoption("engine")
    return f"git {git} · libgit2 {pygit2.LIBGIT2_VERSION} · grpcio {grpcio} · engine {engine}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`--only-daemon`: whatever makes a daemon asks for the fixture `engine`."""
    if not config.getoption("only_daemon"):
        return
    others = [item for item in items if "engine" not in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in set(others)]


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """`--only-daemon` may leave nothing of the tests that were asked for, and that is fine."""
    if session.config.getoption("only_daemon") and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.OK
