from __future__ import annotations

import os
from pathlib import Path

from gitaly_py.git.reading.stamps import Stamp, is_unchanged, now, stamp, stamp_of

SECOND = 1_000_000_000


def at(mtime: int, ctime: int = 1) -> Stamp:
    return Stamp(device=1, inode=2, size=3, mtime=mtime, ctime=ctime)


def test_a_change_within_the_clock_step_of_the_reading_proves_nothing() -> None:
    moment = 1_700_000_000 * SECOND + 7

    assert not at(moment).settled(moment)
    assert not at(moment).settled(moment + 5_000_000)
    assert at(moment).settled(moment + SECOND)
    assert not at(1, moment).settled(moment)
    assert not at(moment + SECOND).settled(moment), "a file from the future"


def test_file_systems_with_whole_seconds_need_a_longer_wait() -> None:
    moment = 1_700_000_000 * SECOND

    assert not at(moment).settled(moment + SECOND)
    assert at(moment).settled(moment + 3 * SECOND)


def test_a_replaced_or_changed_file_has_another_stamp(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert stamp(str(path)) is None
    assert stamp(str(path / "below")) is None
    before = now()
    path.write_bytes(b"one")
    first = stamp(str(path))
    assert first is not None
    assert first == stamp(str(path))
    assert is_unchanged(str(path), first)
    assert not is_unchanged(str(path / "below"), first)
    assert not first.settled(before)

    (tmp_path / "other").write_bytes(b"two")
    os.utime(tmp_path / "other", ns=(first.mtime, first.mtime))
    os.replace(tmp_path / "other", path)

    assert stamp(str(path)) != first
    assert not is_unchanged(str(path), first)
    assert stamp(str(path / "below")) is None


def test_a_link_has_a_stamp_of_its_own(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.touch()
    link.symlink_to(file)

    assert is_unchanged(str(link), stamp(str(file)))
    assert not is_unchanged(str(link), stamp(str(file)), follow_symlinks=False)
    assert is_unchanged(str(link), stamp_of(os.lstat(link)), follow_symlinks=False)
