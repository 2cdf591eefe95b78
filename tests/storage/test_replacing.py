"""Files that are written as a whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitaly_py.storage.replacing import replace_file


def test_who_has_the_former_file_open_goes_on_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("former")
    with path.open() as former:
        replace_file(path, b"new", 0o640)
        assert former.read() == "former"

    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["file"]


def test_it_may_be_written_elsewhere_first(tmp_path: Path) -> None:
    for name in ("there", "here"):
        (tmp_path / name).mkdir()

    replace_file(tmp_path / "there" / "file", b"new", 0o400, folder=tmp_path / "here")

    assert (tmp_path / "there" / "file").read_bytes() == b"new"
    assert os.listdir(tmp_path / "here") == []


def test_nothing_is_left_of_what_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()

    with pytest.raises(IsADirectoryError):
        replace_file(tmp_path / "folder", b"new", 0o400)

    assert os.listdir(tmp_path) == ["folder"]
