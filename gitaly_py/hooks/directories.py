"""Folders of hooks for git's `core.hooksPath`, one for each set of hooks that a push needs.

git starts every hook it finds, the update hook once for each reference, and a process costs more than most
references. So a push gets a folder that holds only the hooks with work to do (transport.md 8.3).
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from gitaly_py.hooks.installing import install
from gitaly_py.hooks.payload import Hook
from gitaly_py.hooks.program import hook as program


class HookDirectories:
    """Makes the folders, in a new `<runtime_dir>/hooks-<random>.d`.

    interpreter: path of the Python that runs the hooks.
    """

    def __init__(self, runtime_dir: str, interpreter: str = sys.executable) -> None:
        self._top = Path(tempfile.mkdtemp(prefix="hooks-", suffix=".d", dir=runtime_dir))
        self._made: dict[Hook, str] = {}
        install(program, self._top / "hook", interpreter)

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
