"""Runs `gitaly-py`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from click.testing import CliRunner

from gitaly_py.cli import main


class Outcome(NamedTuple):
    """How a command ended, and what it wrote."""

    status: int
    stdout: str
    stderr: str


def gitaly_py(*args: str, stdin: str | bytes = "") -> Outcome:
    """Runs the command in this process."""
    result = CliRunner().invoke(main, args, input=stdin, prog_name="gitaly-py")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


def gitaly_py_process(
    *args: str, env: Mapping[str, str] | None = None, cwd: Path | None = None, stdin: str = ""
) -> Outcome:
    """Runs the command in a process of its own."""
    finished = subprocess.run(
        [sys.executable, "-m", "gitaly_py", *args],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env=env,
        cwd=cwd,
    )
    return Outcome(finished.returncode, finished.stdout, finished.stderr)
