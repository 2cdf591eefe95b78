"""The repositories that the figures are taken of, made once and kept."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
from pathlib import Path

from benchmarks import generator
from benchmarks.generator import Shape, make_repository
from tests.support.repositories import Repo

MB = 10**6

_PACKED = {".pack", ".idx", ".bitmap", ".rev"}


def small() -> Shape:
    """A pack of 0.2 MB with some hundred commits and fifty branches."""
    return Shape(20_000, blob=(5_000, 10_000), edits=40, texts=100, lines=10, branches=50)


def large(megabytes: int) -> Shape:
    """A pack of so many MB, most of it in files that can't be compressed; larger ones from 100 MB on."""
    return Shape(megabytes * MB, blob=(MB, 4 * MB) if megabytes >= 100 else (32_000, 224_000))


def busy(edits: int, texts: int) -> Shape:
    """Very many small objects, in `texts` files of 3 KB, and ten branches near each other."""
    return Shape(4 * MB, edits=edits, texts=texts, lines=40, branches=10)


def crowded(references: int) -> Shape:
    """Very many references."""
    return Shape(MB, references=references)


class Repositories:
    """Makes repositories in `folder`, where a later run finds them again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)
        folder.mkdir(parents=True, exist_ok=True)

    def of(self, shape: Shape) -> Repo:
        """The repository of this shape. It must not be changed."""
        made_by = Path(generator.__file__).read_bytes()
        name = hashlib.sha256(made_by + repr(shape).encode()).hexdigest()[:16]
        path = self._folder / f"{name}.git"
        if not path.exists():
            unfinished = path.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            make_repository(unfinished, shape)
            unfinished.rename(path)
        return Repo.at(path)

    def placed(self, repo: Repo, storage: Path) -> str:
        """A copy in a daemon's storage, which no cache knows: its relative path.

        Packs are linked, not copied, so that they are in the page cache for all copies alike.
        """
        relative_path = f"copies/{next(self._numbers)}.git"
        target = storage / relative_path
        shutil.copytree(repo.path, target, copy_function=_linked_or_copied)
        return relative_path


def _linked_or_copied(source: str, target: str) -> None:
    if Path(source).suffix in _PACKED:
        try:
            os.link(source, target)
        except OSError:  # another file system
            shutil.copy(source, target)
    else:
        shutil.copy(source, target)
