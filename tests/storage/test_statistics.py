from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from gitaly_py.storage.metadata import ensure_metadata
from gitaly_py.storage.statistics import StorageStatus, disk_usage, storage_status


@pytest.mark.parametrize(
    ("mode", "readable", "writeable"),
    [
        (0o700, True, True),
        (0o500, True, False),
        (0o300, False, True),
        (0o400, False, False),
        (0o077, False, False),
    ],
)
async def test_the_owners_mode_bits_tell_what_can_be_done(
    root: Path, mode: int, readable: bool, writeable: bool
) -> None:
    os.chmod(root, mode)
    status = await storage_status(str(root))
    os.chmod(root, 0o700)

    assert (status.readable, status.writeable) == (readable, writeable)


async def test_a_missing_storage_can_do_nothing(tmp_path: Path) -> None:
    assert await storage_status(str(tmp_path / "absent")) == StorageStatus(False, False, "unknown", "")
    assert await disk_usage(str(tmp_path / "absent")) is None


async def test_the_file_system_is_named(root: Path) -> None:
    kind = subprocess.run(
        ["stat", "-f", "-c", "%T", str(root)], capture_output=True, text=True, check=True
    ).stdout.strip()
    names = {
        "ext2/ext3": "EXT_2_3_4",
        "overlayfs": "OVERLAYFS",
        "tmpfs": "TMPFS",
        "xfs": "XFS",
        "btrfs": "BTRFS",
    }

    assert (await storage_status(str(root))).fs_type == names.get(kind, "unknown")
    assert (await storage_status("/proc/self")).fs_type == "unknown"


async def test_usage_is_that_of_the_file_system(root: Path) -> None:
    found = os.statvfs(root)
    usage = await disk_usage(str(root))

    assert usage is not None
    assert usage.available + usage.used <= found.f_blocks * found.f_frsize
    assert usage.used > 0


async def test_the_file_system_id_is_written_once(root: Path) -> None:
    ensure_metadata(str(root))
    first = (await storage_status(str(root))).filesystem_id
    ensure_metadata(str(root))

    assert len(first) == 36
    assert (await storage_status(str(root))).filesystem_id == first
    with open(root / ".gitaly-metadata") as file:
        assert file.read() == f'{{"gitaly_filesystem_id":"{first}"}}\n'
    assert os.listdir(root) == [".gitaly-metadata"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"gitaly_filesystem_id":5}'])
async def test_damaged_metadata_is_no_id(root: Path, text: str) -> None:
    with open(root / ".gitaly-metadata", "w") as file:
        file.write(text)

    assert (await storage_status(str(root))).filesystem_id == ""
