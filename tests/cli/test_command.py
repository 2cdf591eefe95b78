from __future__ import annotations

import subprocess
import sys

import pytest

from gitaly_py import __version__
from tests.support.commands import gitaly_py, gitaly_py_process

VERSION_AND_MODULES = """
import sys
from gitaly_py.cli import main
try:
    main(["--version"])
finally:
    print("grpc" in sys.modules, "pydantic" in sys.modules)
"""


@pytest.mark.parametrize("flag", ["--version", "-v", "-version"])
def test_the_version_is_printed(flag: str) -> None:
    assert gitaly_py(flag) == (0, f"Gitaly, version {__version__}\n", "")


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_the_help_lists_the_commands_in_order(flag: str) -> None:
    status, stdout, stderr = gitaly_py(flag)

    commands = [line.split()[0] for line in stdout.partition("Commands:\n")[2].splitlines()]
    assert (status, stderr) == (0, "")
    assert commands[:6] == ["serve", "check", "configuration", "hooks", "bundle-uri", "git"]
    assert commands[6:] == ["db", "pool", "recovery", "cluster", "repo", "limits", "rpcs", "gateway"]


def test_without_arguments_the_help_is_printed() -> None:
    assert gitaly_py() == (2, gitaly_py("--help").stdout, "")


def test_the_version_needs_no_grpc() -> None:
    printed = subprocess.run(
        [sys.executable, "-c", VERSION_AND_MODULES], capture_output=True, text=True, check=True
    ).stdout

    assert printed.splitlines() == [f"Gitaly, version {__version__}", "False False"]


def test_the_package_can_be_run() -> None:
    assert gitaly_py_process("--version") == (0, f"Gitaly, version {__version__}\n", "")
