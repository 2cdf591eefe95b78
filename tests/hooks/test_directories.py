"""Folders of hooks for git (transport.md 2.3, 8.3)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from gitaly_py.hooks.directories import HookDirectories
from gitaly_py.hooks.payload import Hook


def test_a_folder_has_exactly_the_hooks_asked_for(tmp_path: Path) -> None:
    directories = HookDirectories(str(tmp_path))

    some = directories.hooks_directory_for(Hook.PRE_RECEIVE | Hook.POST_RECEIVE)
    none = directories.hooks_directory_for(Hook(0))

    assert sorted(os.listdir(some)) == ["post-receive", "pre-receive"]
    assert os.listdir(none) == []
    assert directories.hooks_directory_for(Hook.POST_RECEIVE | Hook.PRE_RECEIVE) == some


def test_nobody_else_may_look_and_nobody_may_write(tmp_path: Path) -> None:
    folder = Path(HookDirectories(str(tmp_path)).hooks_directory_for(Hook.UPDATE))

    assert folder.parent.parent == tmp_path
    assert folder.parent.name.startswith("hooks-")
    assert folder.parent.suffix == ".d"
    assert folder.parent.stat().st_mode & 0o777 == folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "update").stat().st_mode & 0o777 == 0o500


def test_removing_leaves_nothing_and_may_be_repeated(tmp_path: Path) -> None:
    directories = HookDirectories(str(tmp_path))
    directories.hooks_directory_for(Hook.UPDATE)

    directories.remove()
    directories.remove()

    assert os.listdir(tmp_path) == []


def test_a_hook_runs_with_an_interpreter_no_first_line_can_name(tmp_path: Path) -> None:
    interpreter = tmp_path / "a folder" / ("x" * 150)
    interpreter.parent.mkdir()
    interpreter.symlink_to(sys.executable)
    directories = HookDirectories(str(tmp_path), str(interpreter))
    hook = Path(directories.hooks_directory_for(Hook.REFERENCE_TRANSACTION), "reference-transaction")

    quiet = subprocess.run([hook, "preparing"], env={}, capture_output=True, check=True)
    lost = subprocess.run([hook, "prepared"], env={}, capture_output=True, check=False)

    assert (quiet.stdout, quiet.stderr) == (b"", b"")
    assert (lost.returncode, lost.stderr) == (1, b"error executing git hook\n")
