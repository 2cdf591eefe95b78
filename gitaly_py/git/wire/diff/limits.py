"""How much of a diff is given out, and what has been by now (diff-conflicts.md 1.4)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from gitaly_py.git.wire.diff.patch import Patch

UNLIMITED = sys.maxsize


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a client sets.

    enforce: patches of max_patch_bytes and more are left out, and the diff ends at the other max_* limits.
    collect_all_paths: it goes on without patches instead of ending. collapse: beyond the safe_* limits,
    patches are left out. by_extension: instead of max_patch_bytes, by the end of a path's last component from
    its last dot on, or by that component where it has none.
    """

    enforce: bool = False
    collapse: bool = False
    collect_all_paths: bool = False
    max_files: int = UNLIMITED
    max_lines: int = UNLIMITED
    max_bytes: int = UNLIMITED
    max_patch_bytes: int = UNLIMITED
    safe_max_files: int = UNLIMITED
    safe_max_lines: int = UNLIMITED
    safe_max_bytes: int = UNLIMITED
    by_extension: Mapping[bytes, int] = field(default_factory=dict)

    def of_patch(self, path: bytes) -> int:
        """From how many bytes on the patch of the file at `path` is too large."""
        if not self.by_extension:
            return self.max_patch_bytes
        name = path.rpartition(b"/")[2]
        dot = name.rfind(b".")
        return self.by_extension.get(name[max(dot, 0) :], self.max_patch_bytes)


BOUNDS = {
    "max_files": 5000,
    "max_lines": 250_000,
    "max_bytes": 25_600_000,
    "max_patch_bytes": 512_000,
    "safe_max_files": 500,
    "safe_max_lines": 25_000,
    "safe_max_bytes": 2_560_000,
}
"""What the limits are lowered to, whatever a client sets."""


class Verdict(Enum):
    """What a limit does to a file."""

    COLLAPSED = "collapsed"
    TOO_LARGE = "too large"
    OVERFLOW = "overflow"


class Tally:
    """Counts the files of a diff, and says which patches are left out.

    over: a limit of the whole diff has been reached, so no further patch is given out.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._files = 0
        self._lines = 0
        self._bytes = 0
        self.over = False

    def begin(self) -> None:
        """The next file, with a patch or without."""
        self._files += 1

    def is_doomed(self, path: bytes, patch: Patch) -> bool:
        """Whether the patch of the current file will be left out, as far as it is known by now."""
        lines, size = self._lines + patch.lines, self._bytes + patch.bytes
        return (
            (patch.lines > 0 and self._is_beyond_safe(lines, size))
            or self._is_beyond(lines, size)
            or self._is_too_large(path, patch.size)
        )

    def judge(self, path: bytes, patch: Patch) -> set[Verdict]:
        """The patch of the current file is complete. Its text is wanted where there is no verdict.

        A file that is collapsed or too large gives back what it had taken, with its hunk headers, which were
        not counted: so it is in the API.
        """
        verdicts: set[Verdict] = set()
        size = 0 if self.over else patch.size
        self._lines += patch.lines
        self._bytes += patch.bytes
        if patch.lines > 0 and self._is_beyond_safe(self._lines, self._bytes):
            verdicts.add(Verdict.COLLAPSED)
            self._give_back(patch.lines, size)
            size = 0
        if self._is_too_large(path, size):
            verdicts.add(Verdict.TOO_LARGE)
            self._give_back(patch.lines, size)
        if self._is_beyond(self._lines, self._bytes):
            verdicts.add(Verdict.OVERFLOW)
            self.over = True
        return verdicts

    def _give_back(self, lines: int, size: int) -> None:
        self._lines -= lines
        self._bytes -= size

    def _is_beyond_safe(self, lines: int, size: int) -> bool:
        limits = self._limits
        return limits.collapse and (
            self._files > limits.safe_max_files
            or lines > limits.safe_max_lines
            or size > limits.safe_max_bytes
        )

    def _is_too_large(self, path: bytes, size: int) -> bool:
        return self._limits.enforce and size >= self._limits.of_patch(path)

    def _is_beyond(self, lines: int, size: int) -> bool:
        limits = self._limits
        return limits.enforce and (
            self._files > limits.max_files or lines >= limits.max_lines or size >= limits.max_bytes
        )
