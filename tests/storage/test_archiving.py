from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from gitaly_py.storage.archiving import file, tree
from gitaly_py.storage.errors import FileUnreadable
from gitaly_py.storage.tar import END


def members(blocks: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(blocks + END)) as opened:
        return opened.getmembers()


def test_what_grows_while_it_is_read_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "grows"
    path.write_bytes(b"a" * 300_000)
    blocks = file(os.fsencode(path), b"grows")
    first = next(blocks)
    with path.open("ab") as appending:
        appending.write(b"b" * 1000)
    archive = first + b"".join(blocks)

    (found,) = members(archive)
    assert found.size == 300_000
    assert b"b" not in archive[512:]


def test_what_shrinks_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "shrinks"
    path.write_bytes(b"a" * 300_000)
    blocks = file(os.fsencode(path), b"shrinks")
    next(blocks)
    os.truncate(path, 1000)

    with pytest.raises(FileUnreadable, match=f"read {path}: unexpected EOF"):
        list(blocks)


def test_what_vanishes_below_a_folder_is_an_error(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"")
    blocks = tree(os.fsencode(tmp_path), b"folder")
    next(blocks)
    next(blocks)
    (tmp_path / "b").unlink()

    with pytest.raises(FileUnreadable, match=f"open {tmp_path}/b: no such file or directory"):
        list(blocks)


def test_a_pipe_is_no_file_and_nobody_waits_for_its_other_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(FileUnreadable, match="not a regular file"):
        list(file(os.fsencode(tmp_path / "pipe"), b"pipe"))
    assert [found.name for found in members(b"".join(tree(os.fsencode(tmp_path), b"folder")))] == ["folder"]


def test_folders_may_be_nested_deeper_than_calls(tmp_path: Path) -> None:
    path = tmp_path / "top"
    depth = 1100
    folder = str(path)
    os.mkdir(folder)
    for _ in range(depth):
        folder += "/d"
        os.mkdir(folder)

    names = [found.name for found in members(b"".join(tree(os.fsencode(path), b"folder")))]
    subprocess.run(["rm", "-r", path], check=True)

    assert names[-1] == "folder" + "/d" * depth
