from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitaly_py.storage.errors import SizeUnknown
from gitaly_py.storage.sizes import directory_size


async def test_every_file_counts_with_its_apparent_size(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/file").write_bytes(bytes(1000))
    (tmp_path / "a/b/.hidden").write_bytes(bytes(24))
    os.link(tmp_path / "a/file", tmp_path / "a/b/hard")
    os.symlink("a", tmp_path / "link")
    os.truncate(tmp_path / "a/file", 2000)

    assert await directory_size(str(tmp_path)) == 2000 + 2000 + 24 + len("a")


async def test_a_missing_folder_has_no_size(tmp_path: Path) -> None:
    assert await directory_size(str(tmp_path / "absent")) == 0


async def test_a_file_in_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(SizeUnknown, match=r"^calculating directory size: not a directory$"):
        await directory_size(str(tmp_path / "file"))
