"""Repositories made for benchmarks, looked at by git."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.generator import Shape, make_repository
from tests.support.repositories import Repo

SHAPE = Shape(60_000, blob=(10_000, 30_000), edits=3, texts=5, lines=10, branches=3, references=100)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """A small repository with everything a shape may have."""
    return make_repository(tmp_path_factory.mktemp("made") / "made.git", SHAPE)


def test_a_made_repository_has_no_fault(made: Repo) -> None:
    assert made.git("fsck", "--strict", "--full") == ""
    assert made.git("show-ref", "--verify", "refs/heads/main").endswith("refs/heads/main")


def test_a_made_repository_has_one_pack_with_a_bitmap(made: Repo) -> None:
    assert {path.suffix for path in Path(made.git_dir, "objects", "pack").iterdir()} >= {".pack", ".bitmap"}
    counted = made.git("count-objects", "-v").splitlines()
    assert {"count: 0", "packs: 1"} <= set(counted)


def test_a_made_repository_has_the_shape_that_was_asked_for(made: Repo) -> None:
    names = made.references()
    assert sum(name.startswith(b"refs/heads/feature/") for name in names) == SHAPE.references
    assert sum(name.startswith(b"refs/heads/branch-") for name in names) == SHAPE.branches
    assert made.git("rev-list", "--merges", "main")
    assert "tag" in made.git("for-each-ref", "--format=%(objecttype)", "refs/tags").splitlines()
    (pack,) = Path(made.git_dir, "objects", "pack").glob("*.pack")
    assert SHAPE.size < pack.stat().st_size < 2 * SHAPE.size


def test_the_same_seed_makes_the_same_objects(made: Repo, tmp_path: Path) -> None:
    again = make_repository(tmp_path / "again.git", SHAPE)
    other = make_repository(tmp_path / "other.git", SHAPE, seed=2)

    assert again.references() == made.references()
    assert other.references() != made.references()
