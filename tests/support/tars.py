"""Looking into tar files, and unpacking them as a client would."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path


def members(archive: bytes) -> list[tarfile.TarInfo]:
    """The entries of an archive, in order."""
    with tarfile.open(fileobj=io.BytesIO(archive), errors="surrogateescape") as opened:
        return opened.getmembers()


def names(archive: bytes) -> list[str]:
    """Their names; those of folders end in a slash."""
    return [found.name + "/" * found.isdir() for found in members(archive)]


def contents(archive: bytes) -> dict[str, bytes]:
    """The content of its files."""
    with tarfile.open(fileobj=io.BytesIO(archive), errors="surrogateescape") as opened:
        files = {found.name: opened.extractfile(found) for found in opened if found.isfile()}
        return {name: file.read() for name, file in files.items() if file is not None}


def unpacked(archive: bytes, folder: Path) -> Path:
    """A new folder into which tar has put everything; it has to do so without a word."""
    folder.mkdir()
    finished = subprocess.run(
        ["tar", "-C", str(folder), "-xf", "-"], input=archive, capture_output=True, check=False
    )
    assert (finished.returncode, finished.stderr) == (0, b"")
    return folder
