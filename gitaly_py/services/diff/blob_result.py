"""What DiffBlobs finds for one pair (diff-conflicts.md 9.4)."""

from __future__ import annotations

from typing import NamedTuple, Self

from gitaly_py.git.wire.diff.parser import FileDiff


class BlobDiff(NamedTuple):
    """A difference.

    left, right: ids, zeros where there is no blob. patch_size: bytes of the patch, also when it is left out.
    """

    left: str
    right: str
    patch: bytes = b""
    patch_size: int = 0
    binary: bool = False
    over_limit: bool = False
    lines_added: int = 0
    lines_removed: int = 0

    @classmethod
    def of(cls, file: FileDiff, left: str, right: str) -> Self:
        """What was parsed."""
        return cls(
            left,
            right,
            file.patch,
            file.patch_size,
            file.binary,
            file.too_large,
            file.lines_added,
            file.lines_removed,
        )
