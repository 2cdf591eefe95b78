"""The state of a storage as administrators see it (repository.md, ServerInfo and DiskStatistics)."""

from __future__ import annotations

import asyncio
import os
import re
import stat
from dataclasses import dataclass

from gitaly_py.storage.metadata import filesystem_id
from gitaly_py.storage.paths import is_below

UNKNOWN = "unknown"

_NAMES = {
    "ext2": "EXT_2_3_4",
    "ext3": "EXT_2_3_4",
    "ext4": "EXT_2_3_4",
    "xfs": "XFS",
    "btrfs": "BTRFS",
    "tmpfs": "TMPFS",
    "overlay": "OVERLAYFS",
    "nfs": "NFS",
    "nfs4": "NFS",
    "fuse": "FUSE",
    "fuseblk": "FUSE",
    "f2fs": "F2FS",
}
_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class StorageStatus:
    """readable, writeable: by the owner's mode bits; fs_type: upper-case name of the file system."""

    readable: bool
    writeable: bool
    fs_type: str
    filesystem_id: str


@dataclass(frozen=True)
class DiskUsage:
    """Bytes."""

    available: int
    used: int


async def storage_status(path: str) -> StorageStatus:
    """The state of the storage at `path`; all negative when its folder is missing."""
    return await asyncio.to_thread(_status, path)


async def disk_usage(path: str) -> DiskUsage | None:
    """Space of the file system that holds `path`, None when it can't be asked."""
    return await asyncio.to_thread(_usage, path)


def _status(path: str) -> StorageStatus:
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return StorageStatus(False, False, UNKNOWN, "")
    readable = stat.S_IRUSR | stat.S_IXUSR
    return StorageStatus(
        mode & readable == readable, bool(mode & stat.S_IWUSR), _file_system(path), filesystem_id(path)
    )


def _usage(path: str) -> DiskUsage | None:
    try:
        found = os.statvfs(path)
    except OSError:
        return None
    return DiskUsage(found.f_bavail * found.f_frsize, (found.f_blocks - found.f_bfree) * found.f_frsize)


def _file_system(path: str) -> str:
    """By the mount that the path lies in: Python gives no magic number of a file system."""
    real = os.path.realpath(path)
    found = (0, UNKNOWN)
    with open("/proc/self/mountinfo") as mounts:
        for line in mounts:
            fields, _, rest = line.partition(" - ")
            point = _ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields.split()[4])
            # Of two mounts on one point the later hides the earlier.
            if is_below(real, point.rstrip("/")) and len(point) >= found[0]:
                found = (len(point), rest.split()[0])
    return _NAMES.get(found[1].split(".")[0], UNKNOWN)
