"""The units of `deploy/systemd`, in the hands of systemd's own checker."""

from __future__ import annotations

import configparser
import shlex
import sys
import tomllib
from pathlib import Path

import pytest

from gitaly_py.config import parse
from tests.support.peers import needs, run
from tests.support.prometheus import DEPLOY

UNITS = DEPLOY / "systemd"
SERVICE, SOCKET = "gitaly-py.service", "gitaly-py.socket"
INSTALLED = "/opt/gitaly_py/.venv/bin/gitaly-py"
CONFIG = "/etc/gitaly/config.toml"
EXAMPLE = DEPLOY.parent / "config.toml.example"
MOST_EXPOSED = 20
"""Tenths on systemd's scale from 0 to 10, where 10 is a service that may do everything."""

needs_systemd = needs("systemd-analyze", "systemd")


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units, as if the project were installed where they say."""
    program = tmp_path / "gitaly-py"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m gitaly_py "$@"\n')
    program.chmod(0o755)
    for name in (SERVICE, SOCKET):
        (tmp_path / name).write_text((UNITS / name).read_text().replace(INSTALLED, str(program)))
    return tmp_path


def section(file: Path, name: str) -> configparser.SectionProxy:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(file)
    return unit[name]


@needs_systemd
async def test_systemd_finds_no_fault_in_the_units(units: Path) -> None:
    finished = await run("systemd-analyze", "verify", "--man=no", units / SERVICE, units / SOCKET)

    assert [line for line in finished.stderr.splitlines() if "gitaly-py" in line] == []
    assert finished.status == 0, finished


@needs_systemd
async def test_the_daemon_may_do_little_that_it_need_not(units: Path) -> None:
    finished = await run(
        "systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED}", units / SERVICE
    )

    assert finished.status == 0, finished.stdout.decode()


async def test_a_wrong_configuration_is_named_before_the_start(units: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("socket_path = 1\n")
    command = section(units / SERVICE, "Service")["ExecStartPre"].replace(CONFIG, str(config))

    finished = await run(*shlex.split(command.removeprefix("-")))

    assert finished.status == 2
    assert b'"socket_path"' in finished.stdout


def test_the_daemon_gets_longer_to_stop_than_its_calls() -> None:
    service = section(UNITS / SERVICE, "Service")

    assert int(service["TimeoutStopSec"]) > parse(b"").graceful_restart_timeout.seconds + 10


def test_the_units_and_the_example_configuration_have_the_same_socket_and_storage() -> None:
    example = tomllib.loads(EXAMPLE.read_text())
    service = section(UNITS / SERVICE, "Service")

    assert section(UNITS / SOCKET, "Socket")["ListenStream"] == example["socket_path"]
    assert example["socket_path"].startswith(f"/run/{service['RuntimeDirectory']}/")
    states = [f"/var/lib/{name}" for name in service["StateDirectory"].split()]
    assert example["storage"][0]["path"] in states
    assert service["ExecStart"] == f"{INSTALLED} serve {CONFIG}"
