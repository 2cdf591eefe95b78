"""Folders of hooks for git's `core.hooksPath`, one for each set of hooks that a push needs.

git starts every hook it finds, the update hook once for each reference, and a process costs more than most
references. So a push gets a folder that holds only the hooks with work to do (transport.md 8.3).
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from gitaly_py.hooks.payload import Hook
from gitaly_py.hooks.program import hook as program

_OPTIONS = "-IS"
_MAX_FIRST_LINE = 127
"""What follows is cut off by some kernels."""


class HookDirectories:
    """Makes the folders, in a new `<runtime_dir>/hooks-<random>.d`.

    interpreter: path of the Python that runs the hooks.
    """

    def __init__(self, runtime_dir: str, interpreter: str = sys.executable) -> None:
        self._top = Path(tempfile.mkdtemp(prefix="hooks-", suffix=".d", dir=runtime_dir))
        self._made: dict[Hook, str] = {}
        script = self._top / "hook"
        script.write_text(_first_lines(interpreter) + Path(program.__file__).read_text("utf-8"), "utf-8")
        script.chmod(0o500)

    def hooks_directory_for(self, hooks: Hook) -> str:
        """The folder in which git finds exactly `hooks`."""
        if hooks not in self._made:
            self._made[hooks] = self._make(hooks)
        return self._made[hooks]

    def remove(self) -> None:
        """Deletes everything; once more is allowed."""
        if self._top.exists():
            shutil.rmtree(self._top)

    def _make(self, hooks: Hook) -> str:
        names = [hook.filename for hook in hooks]
        folder = self._top / ("+".join(names) or "none")
        folder.mkdir(mode=0o700)
        for name in names:
            (folder / name).symlink_to("../hook")
        return str(folder)


def _first_lines(interpreter: str) -> str:
    line = f"#!{interpreter} {_OPTIONS}\n"
    if len(line) <= _MAX_FIRST_LINE and " " not in interpreter:
        return line
    # The shell runs the second line and never sees the third; for Python both are one string.
    return f"#!/bin/sh\n'''exec' '{interpreter}' {_OPTIONS} \"$0\" \"$@\"\n' '''\n"
