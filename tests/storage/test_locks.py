from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitaly_py.storage.errors import AlreadyLocked
from gitaly_py.storage.locks import locked


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    path = str(tmp_path / "x.git")

    with locked(path):
        assert os.path.getsize(f"{path}.lock") == 0
        with pytest.raises(AlreadyLocked, match="file already locked"), locked(path):
            pass
        assert os.path.exists(f"{path}.lock")
    assert os.listdir(tmp_path) == []


def test_a_lock_removed_by_hand_is_no_fault(tmp_path: Path) -> None:
    with locked(str(tmp_path / "x.git")):
        os.unlink(tmp_path / "x.git.lock")
