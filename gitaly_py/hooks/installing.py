"""Programs that git starts: how they become executable files."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

from gitaly_py.storage.replacing import replace_file

_OPTIONS = "-IS"
_MAX_FIRST_LINE = 127
"""What follows is cut off by some kernels."""


def install(program: ModuleType, path: Path, interpreter: str = sys.executable) -> None:
    """Writes a module of `program/` as an executable file, which outlives an upgrade of the package.

    interpreter: path of the Python that runs it. Raises OSError.
    """
    text = _first_lines(interpreter) + Path(str(program.__file__)).read_text("utf-8")
    # Another process may run it already.
    replace_file(path, text.encode(), 0o500)


def _first_lines(interpreter: str) -> str:
    line = f"#!{interpreter} {_OPTIONS}\n"
    if len(line) <= _MAX_FIRST_LINE and " " not in interpreter:
        return line
    # The shell runs the second line and never sees the third; for Python both are one string.
    return f"#!/bin/sh\n'''exec' '{interpreter}' {_OPTIONS} \"$0\" \"$@\"\n' '''\n"
