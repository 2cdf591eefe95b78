from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitaly_py.storage.alternates import alternate_directories
from gitaly_py.storage.errors import AlternateOutside


def store(root: Path, name: str, *lines: str) -> str:
    """An object directory that borrows from others."""
    folder = root / name / "objects"
    (folder / "info").mkdir(parents=True)
    if lines:
        (folder / "info/alternates").write_text("\n".join(lines))
    return str(folder)


def test_relative_and_absolute_ones_are_found_and_comments_are_not(tmp_path: Path) -> None:
    one, two = store(tmp_path, "one"), store(tmp_path, "two")
    own = store(tmp_path, "own", "# three", "", "../../one/objects", two, "../../gone/objects")

    assert alternate_directories(own, str(tmp_path)) == [one, two]


def test_those_of_others_are_followed_five_times(tmp_path: Path) -> None:
    stores = [store(tmp_path, str(number), f"../../{number + 1}/objects") for number in range(8)]

    assert alternate_directories(stores[0], str(tmp_path)) == stores[1:6]


def test_a_circle_ends(tmp_path: Path) -> None:
    one = store(tmp_path, "one", "../../two/objects", "../../one/objects")
    two = store(tmp_path, "two", "../../one/objects")

    assert alternate_directories(one, str(tmp_path)) == [two]


@pytest.mark.parametrize("line", ["/etc", "../../../outside/objects"])
def test_one_outside_the_storage_is_an_error(tmp_path: Path, line: str) -> None:
    own = store(tmp_path / "storage", "own", line)

    with pytest.raises(AlternateOutside, match=f'alternate "{line}" is outside the storage root'):
        alternate_directories(own, str(tmp_path / "storage"))


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    own = store(tmp_path, "own")
    os.mkdir(f"{own}/info/alternates")

    with pytest.raises(IsADirectoryError):
        alternate_directories(own, str(tmp_path))
