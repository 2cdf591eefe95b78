"""Makes the virtual environment and installs the project into it, editable, with what tests need.

A bare Debian machine has Python without `ensurepip`; when this may install packages, it gets
`python3-venv` first, else it says what is missing.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path


def main() -> None:
    venv = Path(sys.argv[1])
    if not (venv / "bin" / "python").exists():
        _need_ensurepip()
        _run(sys.executable, "-m", "venv", str(venv))
    python = str(venv / "bin" / "python")
    _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-e", ".[dev]")


def _need_ensurepip() -> None:
    if importlib.util.find_spec("ensurepip") is not None:
        return
    if os.geteuid() != 0:
        raise SystemExit("python3-venv is not installed and this is not root: apt-get install python3-venv")
    _run("apt-get", "update", "-qq")
    _run("apt-get", "install", "-y", "-qq", "python3-venv")


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
